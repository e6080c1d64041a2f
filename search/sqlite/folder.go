package sqlite

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// ErrInUse marks a data file that others use, so that it cannot be replaced, or that
// is being replaced, so that it cannot be used.
var ErrInUse = errors.New("the data folder is in use")

// hold is a lock of a data file beside it, which ends with the process, however
// that ends. Whoever uses the file shares it, and whoever replaces the file holds it
// alone: what is written to a file that has been replaced would be lost. Where the
// file system has no locks, it is nil and guards nothing.
type hold struct{ file *flock.Flock }

func lockPath(path string) string { return path + ".lock" }

// share takes the lock together with others. Errors: ErrInUse.
func share(path string) (*hold, error) {
	return take(path, (*flock.Flock).TryRLock, func() error {
		return fmt.Errorf("%w: process %s replaces the data: wait until it has ended", ErrInUse, holderOf(path))
	})
}

// holdAlone takes the lock for one that replaces the file. Errors: ErrInUse.
func holdAlone(path string) (*hold, error) {
	h, err := take(path, (*flock.Flock).TryLock, errHeld)
	if err != nil || h == nil {
		return h, err
	}
	// Those who are refused are told whom to wait for.
	if err := os.WriteFile(lockPath(path), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil { // #nosec G703 -- beside the file that the operator names
		return nil, errors.Join(fmt.Errorf("sqlite: %w", err), h.release())
	}
	return h, nil
}

// errHeld: somebody else uses the file.
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

// holderOf is the id of the process that replaces the file.
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
