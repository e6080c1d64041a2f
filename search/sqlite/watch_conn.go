package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/scopegate/scopegate/search"
)

// watchConn is a connection that writes nothing, so that its PRAGMA data_version
// changes with every commit.
type watchConn struct {
	ctxMutex

	conn *sql.Conn
}

func openWatchConn(ctx context.Context, db *sql.DB) (watchConn, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return watchConn{}, engineError(ctx, err)
	}
	return watchConn{ctxMutex: newCtxMutex(), conn: conn}, nil
}

// dataVersion returns a number that changes whenever another connection commits.
func (q *watchConn) dataVersion(ctx context.Context) (version int64, err error) {
	err = q.conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version)
	return version, engineError(ctx, err)
}

func (q *watchConn) close() error {
	q.end()
	return q.conn.Close()
}

// ctxMutex is a mutex. Waiting for it ends with a context, and it can be closed.
type ctxMutex struct {
	token  chan struct{} // holds one token, which grants the use of the other fields
	closed bool
}

func newCtxMutex() ctxMutex {
	t := ctxMutex{token: make(chan struct{}, 1)}
	t.token <- struct{}{}
	return t
}

// use runs f while it holds the mutex.
func (m *ctxMutex) use(ctx context.Context, f func() error) error {
	select {
	case <-ctx.Done():
		return engineError(ctx, ctx.Err())
	case <-m.token:
	}
	defer func() { m.token <- struct{}{} }()
	if m.closed {
		return fmt.Errorf("sqlite: %w: %w", search.ErrUnavailable, errClosed)
	}
	return f()
}

// end waits until the mutex is free and closes it: later uses fail.
func (m *ctxMutex) end() {
	<-m.token
	m.closed = true
	m.token <- struct{}{}
}
