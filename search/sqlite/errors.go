package sqlite

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
)

// errClosed is the reason why a closed Store is unavailable.
var errClosed error = reason.Text("store is closed")

// errFull is the reason why a Store that cannot write is unavailable.
var errFull error = reason.Text("the disk is full")

// errBroken marks an error of SQLite that means that our own statement is wrong. A
// retry does not help.
var errBroken = errors.New("statement refused")

// engineError turns an error of the driver into one of package search. SQLite's
// text may quote values of the request or the data, so the result contains only our
// words for the result code.
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
		return fmt.Errorf("%w: %w", ErrSchema, reason.Text("the file is no SQLite database: use another folder"))
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_MISMATCH,
		sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG:
		return fmt.Errorf("sqlite: %w: %w", errBroken, codeWords(e.Code()))
	}
	switch e.Code() {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP:
		return fmt.Errorf("sqlite: %w: %w", search.ErrUnavailable, reason.Text(fmt.Sprintf("code %d: the disk is full, or fails", e.Code())))
	}
	return fmt.Errorf("sqlite: %w: %w", search.ErrUnavailable, codeWords(e.Code()))
}

// codeWords returns our words for a result code (sqlite.org/rescode.html). The
// lowest byte of the code is its kind.
func codeWords(code int) reason.Text {
	words, ok := map[int]string{
		sqlite3.SQLITE_PERM:       "access denied",
		sqlite3.SQLITE_BUSY:       "another process holds the database",
		sqlite3.SQLITE_LOCKED:     "the database is locked",
		sqlite3.SQLITE_NOMEM:      "out of memory",
		sqlite3.SQLITE_READONLY:   "the database, its folder or its disk is read-only",
		sqlite3.SQLITE_INTERRUPT:  "interrupted",
		sqlite3.SQLITE_IOERR:      "the disk cannot be read or written",
		sqlite3.SQLITE_CORRUPT:    "the database file is damaged",
		sqlite3.SQLITE_CANTOPEN:   "the database, or a file beside it, cannot be opened",
		sqlite3.SQLITE_PROTOCOL:   "the database cannot be locked",
		sqlite3.SQLITE_SCHEMA:     "the schema has changed",
		sqlite3.SQLITE_TOOBIG:     "a value is too big",
		sqlite3.SQLITE_CONSTRAINT: "a constraint is violated",
		sqlite3.SQLITE_AUTH:       "not authorized",
		sqlite3.SQLITE_NOTADB:     "the file is no SQLite database",
	}[code&0xff]
	if !ok {
		return reason.Text(fmt.Sprintf("code %d", code))
	}
	return reason.Text(fmt.Sprintf("%s (code %d)", words, code))
}

func isOurs(err error) bool {
	for _, known := range []error{
		search.ErrUnavailable, search.ErrTimeout, search.ErrInvalidPosition, search.ErrPageTooLarge,
		search.ErrSnapshotBusy, search.ErrSnapshotEnded, search.ErrTooManyBuckets, search.ErrTooManyClients, errBroken, errEnough, ErrSchema, ErrOutdated, ErrInUse,
		context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
