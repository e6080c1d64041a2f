package export

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/gofrs/flock"
)

// ErrTempFull reports that the folder for temporary files is full.
var ErrTempFull = errors.New("export: no room for temporary files")

// Temp is the folder for temporary files of one process. It is removed with the
// process; if the process was killed, the next OpenTemp in the same place removes
// it. It is safe for concurrent use.
type Temp struct {
	dir  string
	lock *flock.Flock // shows others that the process is running; nil: no locks
	most int64        // bytes; 0: no limit

	mu     sync.Mutex
	used   int64
	closed bool
}

const (
	tempPrefix = "scopegate-xlsx-"
	tempLock   = "lock"
)

// OpenTemp makes a folder within dir, or within the system's folder for temporary
// files if dir is "", and tests that files can be written. The files in it together
// may have mostBytes bytes (0: no limit); the size is checked every few MiB.
//
// The error names the folder that cannot be used, and the reason.
func OpenTemp(dir string, mostBytes int64) (*Temp, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	const tries = 3 // another process may remove a folder without a lock as left over
	for range tries {
		t, err := makeTemp(dir)
		if errors.Is(err, os.ErrNotExist) && exists(dir) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("the folder %s cannot be used for temporary files: %w", dir, err)
		}
		t.most = mostBytes
		t.sweep(dir)
		return t, nil
	}
	return nil, fmt.Errorf("the folder %s cannot be used for temporary files: what is made in it is removed by others", dir)
}

func exists(path string) bool {
	_, err := os.Stat(path) // #nosec G703 -- a folder that the operator names
	return err == nil
}

// makeTemp makes a folder with a lock file. It fails with os.ErrNotExist if another
// process removes the folder before it is locked.
func makeTemp(dir string) (*Temp, error) {
	own, err := os.MkdirTemp(dir, tempPrefix)
	if err != nil {
		return nil, err
	}
	t := &Temp{dir: own, lock: flock.New(filepath.Join(own, tempLock), flock.SetPermissions(0o600))}
	held, err := t.lock.TryLock()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		t.lock = nil
		err = os.Remove(filepath.Join(own, tempLock)) // #nosec G703 -- as above
	case err == nil && !held:
		err = os.ErrNotExist
	}
	if err == nil {
		err = tryWriting(own)
	}
	if err != nil {
		return nil, errors.Join(err, t.remove())
	}
	return t, nil
}

// tryWriting writes a file and removes it.
func tryWriting(dir string) error {
	file, err := os.CreateTemp(dir, "try-")
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, 4<<10))
	return errors.Join(err, file.Close(), os.Remove(file.Name())) // #nosec G703 -- as above
}

// sweep removes the folders of processes that have ended. It leaves folders that
// cannot be checked, or have no lock: they belong to somebody else.
func (t *Temp) sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if path != t.dir && entry.IsDir() && strings.HasPrefix(entry.Name(), tempPrefix) {
			removeLeft(path)
		}
	}
}

func removeLeft(dir string) {
	lock := flock.New(filepath.Join(dir, tempLock), flock.SetFlag(os.O_RDWR)) // do not create it
	held, err := lock.TryLock()
	if err == nil && held {
		_ = os.RemoveAll(dir) // #nosec G703 -- a folder of our own; the next start removes what stays
	}
	_ = lock.Close()
}

// Close removes the folder with all its content, also files that are still being
// written.
func (t *Temp) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	t.closed = true
	return t.remove()
}

func (t *Temp) remove() error {
	err := os.RemoveAll(t.dir)
	for range 10 { // a writer may add a file meanwhile
		if err == nil {
			break
		}
		err = os.RemoveAll(t.dir)
	}
	if t.lock != nil {
		err = errors.Join(err, t.lock.Close())
	}
	return err
}

// folder holds the temporary files of one export.
type folder struct {
	of   *Temp // nil: sizes are not counted
	path string
	size int64 // as last counted
}

// newFolder makes a folder in the process's own folder; in the system's if t is
// nil.
func (t *Temp) newFolder() (*folder, error) {
	if t == nil {
		path, err := os.MkdirTemp("", tempPrefix)
		return &folder{path: path}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return nil, fmt.Errorf("export: %w", os.ErrClosed)
	case t.most > 0 && t.used >= t.most:
		return nil, fmt.Errorf("%w: %d bytes are in use", ErrTempFull, t.used)
	}
	path, err := os.MkdirTemp(t.dir, "book-")
	return &folder{of: t, path: path}, roomError(err)
}

// count adds up the size of the folder, and fails with ErrTempFull if all folders
// together exceed the limit.
func (f *folder) count() error {
	if f.of == nil {
		return nil
	}
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return err
	}
	size := int64(0)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil { // else it was just removed
			size += info.Size()
		}
	}
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	f.of.used += size - f.size
	f.size = size
	if f.of.most > 0 && f.of.used > f.of.most {
		return fmt.Errorf("%w: %d bytes are in use", ErrTempFull, f.of.used)
	}
	return nil
}

func (f *folder) remove() error {
	err := os.RemoveAll(f.path)
	if f.of != nil {
		f.of.mu.Lock()
		defer f.of.mu.Unlock()
		f.of.used -= f.size
		f.size = 0
	}
	return err
}

// roomError returns ErrTempFull if the disk or a quota is full.
func roomError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrTempFull, err)
	}
	return err
}
