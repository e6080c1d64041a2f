package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A statement whose context ends may have been executed all the same: the driver
// looks at the context once more when SQLite has answered. So an error of BEGIN
// does not say that there is no transaction, and a connection that is left inside
// one fails every later search and keeps the write-ahead log from being reset.
// Whoever begins a transaction therefore ends it by rollback, whatever happened,
// and gives the connection up when that fails.

// rollback ends the connection's transaction, if there is one. After an error
// nobody knows whether it has ended: the connection must be discarded.
func rollback(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	// SQLITE_ERROR: no transaction is active. SQLite ends some itself, as on a
	// full disk.
	if e := (*sqlite.Error)(nil); errors.As(err, &e) && e.Code() == sqlite3.SQLITE_ERROR {
		return nil
	}
	return engineError(context.WithoutCancel(ctx), err)
}

// discard closes a connection, which ends its transaction. sql.Conn.Close alone
// would hand it on, as it is, to the next one who wants one.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close() // it has nothing left to lose
}
