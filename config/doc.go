// Package config owns the gateway's settings: their names, defaults, bounds,
// and where they come from (flags over environment over file over defaults).
//
// It imports nothing of ours: cmd turns a Config into the options of the parts.
package config
