package sqlite

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/scopegate/scopegate/search"
)

// errClosed is why a closed Store is unavailable.
var errClosed = errors.New("store is closed")

// errFull is why a Store that cannot write is unavailable.
var errFull = errors.New("the disk is full")

// errBroken marks an answer of SQLite that says our own statement is wrong:
// trying later does not help.
var errBroken = errors.New("statement refused")

// engineError turns an error of the driver into one of package search. SQLite's
// text may quote what was asked or stored, so only its result code goes on.
func engineError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	switch ctxErr := ctx.Err(); {
	case errors.Is(ctxErr, context.DeadlineExceeded):
		return fmt.Errorf("sqlite: %w: %w", search.ErrTimeout, ctxErr)
	case ctxErr != nil:
		return fmt.Errorf("sqlite: %w", ctxErr)
	}
	if isOurs(err) {
		return err
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("sqlite: %w", search.ErrUnavailable)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("sqlite: %w: %w", search.ErrUnavailable, errFull)
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: the file is no SQLite database: use another folder", ErrSchema)
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_MISMATCH,
		sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG:
		return fmt.Errorf("sqlite: %w: code %d", errBroken, e.Code())
	}
	switch e.Code() {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP:
		return fmt.Errorf("sqlite: %w: code %d: the disk is full, or fails", search.ErrUnavailable, e.Code())
	}
	return fmt.Errorf("sqlite: %w: code %d", search.ErrUnavailable, e.Code())
}

func isOurs(err error) bool {
	for _, known := range []error{
		search.ErrUnavailable, search.ErrTimeout, search.ErrInvalidPosition, search.ErrPageTooLarge,
		search.ErrSnapshotBusy, search.ErrSnapshotEnded, errBroken, errEnough, ErrSchema,
		context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
