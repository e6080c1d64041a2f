//go:build unix

package plainfile

import "syscall"

// noFollow refuses a symbolic link at the end of a path (open(2)).
const noFollow = syscall.O_NOFOLLOW
