package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// reader is one connection of the read pool.
type reader struct {
	conn  *sql.Conn           // nil until first used
	scope tenancy.Fingerprint // whose companies are in the connection's scope table
}

// readers is the read pool. Connections are ours rather than database/sql's to
// hand out, since each remembers the scope in its temporary table.
type readers struct {
	db     *sql.DB
	shares *shares
	count  int

	mu     sync.Mutex
	idle   []*reader // the one used last comes last, and is used first: what it has cached is of use
	closed bool
}

func newReaders(db *sql.DB, count int) *readers {
	p := &readers{db: db, shares: newShares(count, runtime.GOMAXPROCS(0)), count: count}
	for range count {
		p.idle = append(p.idle, &reader{})
	}
	return p
}

// use runs f on an idle connection, waiting no longer than the context for one
// that the context's account may have.
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
		r.drop() // should it be the connection's fault, nobody meets it again
	}
	return err
}

// take is a connection that nobody uses, which who has a slot finds.
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
		if err != nil { // such a context does not end
			return
		}
		defer p.shares.leave(taken) // to those who are told that it is closed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.idle {
		r.drop()
	}
}

// snapshot runs f inside one read transaction: all its statements see the same
// sessions, however much is written meanwhile. A panic of f ends it too.
func (r *reader) snapshot(ctx context.Context, f func() error) error {
	defer func() {
		if rollback(ctx, r.conn) != nil {
			r.drop()
		}
	}()
	// BEGIN waits for nothing, so it need not be interrupted.
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

// each runs a query and hands every row to scan.
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

// number runs a query for one number.
func (r *reader) number(ctx context.Context, query string, args ...any) (int64, error) {
	var n int64
	err := r.conn.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, engineError(ctx, err)
}

// keys runs a query for keys of sessions.
func (r *reader) keys(ctx context.Context, query string, args ...any) (keys []int64, err error) {
	err = r.each(ctx, query, args, func(rows *sql.Rows) error {
		var key int64
		err := rows.Scan(&key)
		keys = append(keys, key)
		return err
	})
	return keys, err
}
