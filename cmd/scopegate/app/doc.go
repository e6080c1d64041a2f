// Package app puts the gateway together: it opens the configured engine, the
// shared cache tier and the invalidation log, assembles the API from them, and
// serves it on the public and the admin listener. It knows concrete parts and
// their settings, and no command line.
package app
