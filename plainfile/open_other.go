//go:build !unix

package plainfile

// noFollow has no counterpart here: creating a symbolic link requires a privilege.
const noFollow = 0
