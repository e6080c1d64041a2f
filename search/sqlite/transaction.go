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
// checks the context once more after SQLite has answered. So an error of BEGIN does
// not mean that there is no transaction, and a connection that stays inside one
// fails every later search and keeps the write-ahead log from being reset.
// Therefore every function that begins a transaction ends it by rollback in all
// cases, and discards the connection when the rollback fails.

// rollback ends the connection's transaction, if there is one. After an error its
// state is unknown: the connection must be discarded.
func rollback(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	// SQLITE_ERROR: no transaction is active. SQLite ends some by itself, as on a
	// full disk.
	if e := (*sqlite.Error)(nil); errors.As(err, &e) && e.Code() == sqlite3.SQLITE_ERROR {
		return nil
	}
	return engineError(context.WithoutCancel(ctx), err)
}

// discard closes a connection, which ends its transaction. sql.Conn.Close alone
// would return it to the pool as it is.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close() // nothing more can be done
}
