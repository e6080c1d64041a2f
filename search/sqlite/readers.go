package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// reader is one connection of the read pool.
type reader struct {
	conn  *sql.Conn           // nil until first used
	scope tenancy.Fingerprint // scope whose companies are in the connection's scope table
}

// readers is the read pool. It manages its connections itself, and not
// database/sql, since each connection keeps its scope in a temporary table.
type readers struct {
	db     *sql.DB
	shares *shares
	count  int

	mu     sync.Mutex
	idle   []*reader // the last used connection comes last and is used first: its page cache is warm
	closed bool
}

func newReaders(db *sql.DB, count int) *readers {
	p := &readers{db: db, shares: newShares(count, runtime.GOMAXPROCS(0)), count: count}
	for range count {
		p.idle = append(p.idle, &reader{})
	}
	return p
}

// use runs f on an idle connection. It waits for one until the context ends;
// the context's tenancy.Caller decides whose turn it is.
func (p *readers) use(ctx context.Context, f func(*reader) error) error {
	taken, err := p.shares.enter(ctx)
	if err != nil {
		return engineError(ctx, err)
	}
	defer p.shares.leave(taken)
	r, err := p.take()
	if err != nil {
		return err
	}
	defer p.give(r)
	if r.conn == nil {
		if r.conn, err = p.db.Conn(ctx); err != nil {
			return engineError(ctx, err)
		}
	}
	err = engineError(ctx, f(r))
	if errors.Is(err, search.ErrUnavailable) || errors.Is(err, errBroken) {
		r.drop() // the error may be the connection's fault
	}
	return err
}

// take returns an idle connection. The caller has a slot, so there is one.
func (p *readers) take() (*reader, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("sqlite: %w: %w", search.ErrUnavailable, errClosed)
	}
	return p.pop(), nil
}

func (p *readers) pop() *reader {
	last := len(p.idle) - 1
	r := p.idle[last]
	p.idle = p.idle[:last]
	return r
}

func (p *readers) give(r *reader) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, r)
}

// close waits until every connection is idle, then closes them.
func (p *readers) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	for range p.count {
		taken, err := p.shares.enter(context.Background())
		if err != nil { // this context does not end
			return
		}
		defer p.shares.leave(taken) // those who wait find the pool closed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.idle {
		r.drop()
	}
}

// snapshot runs f inside one read transaction: all its statements see the same
// sessions, even if others write meanwhile. The transaction ends also when f
// panics.
func (r *reader) snapshot(ctx context.Context, f func() error) error {
	defer func() {
		if rollback(ctx, r.conn) != nil {
			r.drop()
		}
	}()
	// BEGIN does not wait, so it need not be interruptible.
	if err := execute(context.WithoutCancel(ctx), r.conn, "BEGIN"); err != nil {
		return err
	}
	return f()
}

// drop closes the connection; the next use opens another.
func (r *reader) drop() {
	if r.conn != nil {
		discard(r.conn)
	}
	*r = reader{}
}

// each runs a query and passes every row to scan.
func (r *reader) each(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) (err error) {
	rows, err := r.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return engineError(ctx, err)
	}
	defer func() {
		if closing := rows.Close(); err == nil {
			err = engineError(ctx, closing)
		}
	}()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return engineError(ctx, err)
		}
	}
	return engineError(ctx, rows.Err())
}

// number runs a query that returns one number.
func (r *reader) number(ctx context.Context, query string, args ...any) (int64, error) {
	var n int64
	err := r.conn.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, engineError(ctx, err)
}

// keys runs a query that returns keys of sessions.
func (r *reader) keys(ctx context.Context, query string, args ...any) (keys []int64, err error) {
	err = r.each(ctx, query, args, func(rows *sql.Rows) error {
		var key int64
		err := rows.Scan(&key)
		keys = append(keys, key)
		return err
	})
	return keys, err
}

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
