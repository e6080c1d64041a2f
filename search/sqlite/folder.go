package sqlite

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// ErrInUse marks a data file that can't be replaced because others use it, or that
// can't be used because it is being replaced.
var ErrInUse = errors.New("the data folder is in use")

// hold is a lock file beside a data file. The operating system releases it when the
// process ends, also when it crashes. Users of the data file share the lock;
// whoever replaces the file holds it exclusively, since writes to a file that has
// been replaced would be lost. On a file system without locks it is nil and
// protects nothing.
type hold struct{ file *flock.Flock }

func lockPath(path string) string { return path + ".lock" }

// share takes the lock as one of several users. Errors: ErrInUse.
func share(path string) (*hold, error) {
	return take(path, (*flock.Flock).TryRLock, func() error {
		return fmt.Errorf("%w: process %s replaces the data: wait until it has ended", ErrInUse, holderOf(path))
	})
}

// holdAlone takes the lock exclusively, to replace the file. Errors: ErrInUse.
func holdAlone(path string) (*hold, error) {
	h, err := take(path, (*flock.Flock).TryLock, errHeld)
	if err != nil || h == nil {
		return h, err
	}
	// The error of those who are refused names this process.
	if err := os.WriteFile(lockPath(path), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil { // #nosec G703 -- beside the file that the operator names
		return nil, errors.Join(fmt.Errorf("sqlite: %w", err), h.release())
	}
	return h, nil
}

// errHeld returns the error for a lock that another process holds.
func errHeld() error {
	return fmt.Errorf("%w: stop the gateways and commands that use it, and begin again", ErrInUse)
}

func take(path string, try func(*flock.Flock) (bool, error), refused func() error) (*hold, error) {
	file := flock.New(lockPath(path), flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDWR))
	held, err := try(file)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return nil, file.Close()
	case err != nil:
		return nil, errors.Join(fmt.Errorf("sqlite: %w", err), file.Close())
	case !held:
		return nil, errors.Join(refused(), file.Close())
	}
	return &hold{file}, nil
}

// holderOf returns the id of the process that replaces the file.
func holderOf(path string) string {
	text, err := os.ReadFile(lockPath(path)) // #nosec G304 -- beside the file that the operator names
	if id := strings.TrimSpace(string(text)); err == nil && id != "" {
		return id
	}
	return "(unknown)"
}

func (h *hold) release() error {
	if h == nil {
		return nil
	}
	return h.file.Close()
}
