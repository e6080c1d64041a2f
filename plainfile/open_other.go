//go:build !unix

package plainfile

// noFollow has no counterpart here: to make a symbolic link takes a privilege.
const noFollow = 0
