// Package config owns the gateway's settings: their names, defaults, limits and
// sources (flags override the environment, which overrides the file, which
// overrides the defaults).
//
// It imports no other package of ours: cmd converts a Config into the options of
// the parts.
package config
