package sqlite

import (
	"context"
	"database/sql"
)

// quietConn is a connection that writes nothing, so that PRAGMA data_version
// tells of every commit.
type quietConn struct {
	turns

	conn *sql.Conn
}

func openQuiet(ctx context.Context, db *sql.DB) (quietConn, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return quietConn{}, engineError(ctx, err)
	}
	return quietConn{turns: newTurns(), conn: conn}, nil
}

// dataVersion is another number whenever another connection has committed.
func (q *quietConn) dataVersion(ctx context.Context) (version int64, err error) {
	err = q.conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version)
	return version, engineError(ctx, err)
}

func (q *quietConn) close() error {
	q.end()
	return q.conn.Close()
}
