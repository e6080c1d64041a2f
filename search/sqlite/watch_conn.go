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

// turns lets one after another use what only one may use at a time. Unlike with
// a mutex, who waits can leave.
type turns struct {
	token  chan struct{} // holds one; who has it uses the rest
	closed bool
}

func newTurns() turns {
	t := turns{token: make(chan struct{}, 1)}
	t.token <- struct{}{}
	return t
}

// use runs f while nobody else does.
func (t *turns) use(ctx context.Context, f func() error) error {
	select {
	case <-ctx.Done():
		return engineError(ctx, ctx.Err())
	case <-t.token:
	}
	defer func() { t.token <- struct{}{} }()
	if t.closed {
		return fmt.Errorf("sqlite: %w: %w", search.ErrUnavailable, errClosed)
	}
	return f()
}

// end waits for whose turn it is; after it nobody has one.
func (t *turns) end() {
	<-t.token
	t.closed = true
	t.token <- struct{}{}
}
