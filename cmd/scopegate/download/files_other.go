//go:build !unix

package download

import "io/fs"

// noFollow has no counterpart here: openPlain compares what it has opened with
// what it looked at.
const noFollow = 0

// linked is not known here.
func linked(fs.FileInfo) bool { return false }
