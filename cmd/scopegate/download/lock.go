package download

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gofrs/flock"
)

// ErrBusy marks a file that somebody else is fetching: two who wrote to one part
// would make a file of it that neither has seen.
var ErrBusy = errors.New("is being fetched by another process")

// lockOf is what the one who fetches a file holds. It is a file of its own, as
// the part comes and goes.
func lockOf(path string) string { return path + ".part.lock" }

// lock is held by one process at a time, and let go of when that ends, however it
// does. The nil lock is held by everybody.
type lock struct{ file *flock.Flock }

// acquire takes the lock of a file. Where the file system has no locks, it is nil.
//
// Errors: ErrBusy; ErrExists for what has the name of the lock and is none.
func acquire(path string) (*lock, error) {
	if err := checkLock(path); err != nil {
		return nil, err
	}
	file := flock.New(lockOf(path), flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow))
	held, err := file.TryLock()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return nil, errors.Join(file.Close(), os.Remove(lockOf(path)))
	case err != nil:
		return nil, errors.Join(err, file.Close())
	case held && isThere(file):
		return &lock{file}, nil
	}
	return nil, errors.Join(fmt.Errorf("%s %w: wait for it, or name another file", path, ErrBusy), file.Close())
}

// checkLock looks at what has the name of the lock: release removes it, so it
// must hold nothing.
func checkLock(path string) error {
	info, err := os.Lstat(lockOf(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().IsRegular() && info.Size() > 0:
		return fmt.Errorf("%s %w, and is no lock; remove it, or name another file", lockOf(path), ErrExists)
	}
	return checkPlain(lockOf(path), info)
}

// isThere reports whether the file is still the one of its name: whoever held it
// may have removed it since it was opened.
func isThere(file *flock.Flock) bool {
	mine, err1 := file.Stat()
	there, err2 := os.Lstat(file.Path())
	return err1 == nil && err2 == nil && os.SameFile(mine, there)
}

// release removes what was held first: who opens it afterwards holds another.
func (l *lock) release() error {
	if l == nil {
		return nil
	}
	removed := os.Remove(l.file.Path())
	err := l.file.Close()
	if removed != nil {
		_ = os.Remove(l.file.Path()) // there are systems that keep what is open; one that is left harms nobody
	}
	return err
}
