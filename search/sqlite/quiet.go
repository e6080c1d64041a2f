package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/scopegate/scopegate/search"
)

// quietConn is a connection that writes nothing, so that PRAGMA data_version
// tells of every commit.
type quietConn struct {
	turn   chan struct{} // holds one token; who has it uses the rest
	conn   *sql.Conn
	closed bool
}

func openQuiet(ctx context.Context, db *sql.DB) (quietConn, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return quietConn{}, engineError(ctx, err)
	}
	q := quietConn{turn: make(chan struct{}, 1), conn: conn}
	q.turn <- struct{}{}
	return q, nil
}

// use runs f while nobody else uses the connection.
func (q *quietConn) use(ctx context.Context, f func() error) error {
	select {
	case <-ctx.Done():
		return engineError(ctx, ctx.Err())
	case <-q.turn:
	}
	defer func() { q.turn <- struct{}{} }()
	if q.closed {
		return fmt.Errorf("sqlite: %w: %w", search.ErrUnavailable, errClosed)
	}
	return f()
}

// dataVersion is another number whenever another connection has committed.
func (q *quietConn) dataVersion(ctx context.Context) (version int64, err error) {
	err = q.conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version)
	return version, engineError(ctx, err)
}

func (q *quietConn) close() error {
	<-q.turn
	q.closed = true
	q.turn <- struct{}{}
	return q.conn.Close()
}
