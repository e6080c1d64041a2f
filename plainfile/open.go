// Package plainfile opens files for writing, in folders that others may write to as
// well.
package plainfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ErrLink marks a path that is a symbolic link: another user who may write to the
// folder could have created it, so that another file is written to.
var ErrLink = errors.New("is a symbolic link, which is not written through: name the file that it leads to")

// Open is like os.OpenFile for files to be written, but does not follow a symbolic
// link at the end of the path. It follows links in the folders of the path, and the
// names that the system gives to open files, such as /dev/stdout. Errors: ErrLink,
// those of os.OpenFile.
func Open(path string, flag int, perm os.FileMode) (*os.File, error) {
	clean := filepath.ToSlash(filepath.Clean(path))
	if strings.HasPrefix(clean, "/dev/") || strings.HasPrefix(clean, "/proc/") {
		return os.OpenFile(path, flag, perm) // #nosec G304 -- the operator names it
	}
	file, err := os.OpenFile(path, flag|noFollow, perm) // #nosec G304 -- the operator names it
	if err == nil {
		return file, nil
	}
	if info, linkErr := os.Lstat(path); linkErr == nil && info.Mode()&os.ModeSymlink != 0 {
		return nil, fmt.Errorf("%s %w", path, ErrLink)
	}
	return nil, err
}
