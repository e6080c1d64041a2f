//go:build unix

package download

import (
	"io/fs"
	"syscall"
)

// noFollow refuses a symbolic link at the end of a path, and keeps the opening
// of a pipe from waiting for its other end.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// linked reports whether a file has more names than one (hard links).
func linked(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink > 1
}
