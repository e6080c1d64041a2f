package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// writer is the one connection that writes, with its prepared statements.
type writer struct {
	mutex ctxMutex
	db    *sql.DB
	log   *logGuard
	busy  time.Duration // how long to wait for other processes
	steps schema.List
	conn  *sql.Conn // nil: dropped; the next use opens another
	stmts statements
}

func openWriter(ctx context.Context, db *sql.DB, log *logGuard, busy time.Duration, steps schema.List) (*writer, error) {
	w := &writer{mutex: newCtxMutex(), db: db, log: log, busy: busy, steps: steps}
	if err := w.connect(ctx); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *writer) connect(ctx context.Context) (err error) {
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return engineError(ctx, err)
	}
	if err = w.prepare(ctx); err != nil {
		w.drop()
	}
	return err
}

func (w *writer) prepare(ctx context.Context) error {
	// Large pages: a page that an import changes often is moved into the file once.
	const pageSize = 8192
	usual := min(64<<20, w.log.most/4)
	for _, pragma := range []string{
		fmt.Sprintf("PRAGMA page_size = %d", pageSize), // must come before the first write of a new file, else it has no effect
		"PRAGMA journal_mode = WAL",
		fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", max(1, usual/pageSize)),
		fmt.Sprintf("PRAGMA journal_size_limit = %d", usual),
		"PRAGMA cache_size = -64000",
	} {
		if err := execute(ctx, w.conn, pragma); err != nil {
			return err
		}
	}
	if err := bringUpToDate(ctx, w.conn, w.steps); err != nil {
		return err
	}
	return w.stmts.prepare(ctx, w.conn)
}

// drop closes the connection; the next use opens another.
func (w *writer) drop() {
	_ = w.stmts.close() // they end with the connection
	discard(w.conn)
	w.conn = nil
}

func (w *writer) close() error {
	w.mutex.end()
	if w.conn == nil {
		return nil
	}
	return errors.Join(w.stmts.close(), w.conn.Close())
}

// use runs f while nobody else writes through this Store.
func (w *writer) use(ctx context.Context, f func() error) error {
	return w.mutex.use(ctx, func() error {
		if w.conn == nil {
			if err := w.connect(ctx); err != nil {
				return err
			}
		}
		return engineError(ctx, f())
	})
}

// transaction runs f in one write transaction. Processes wait for each other's
// write transactions.
func (w *writer) transaction(ctx context.Context, f func(context.Context) error) error {
	return w.use(ctx, func() error {
		committed := false
		defer func() { // also when f panics
			if !committed && rollback(ctx, w.conn) != nil {
				w.drop()
			}
		}()
		if err := execute(ctx, w.conn, "BEGIN IMMEDIATE"); err != nil {
			return err
		}
		// For a context that can end, the driver starts a goroutine per statement
		// to watch it. So statements get a context that does not end, and f checks
		// ctx between its changes.
		steady := context.WithoutCancel(ctx)
		err := f(steady)
		if err == nil {
			err = execute(steady, w.conn, "COMMIT")
		}
		if committed = err == nil; committed {
			w.afterCommit(steady)
		}
		return err
	})
}

// Write applies the changes in one transaction; see session.Writer.
func (s *Store) Write(ctx context.Context, changes []session.Change) (session.Written, error) {
	b := newBatch(s.writer)
	err := s.writer.transaction(ctx, func(steady context.Context) error { return b.write(ctx, steady, changes) })
	if err != nil {
		return session.Written{}, err
	}
	return b.written, nil
}

// batch is one running Write.
type batch struct {
	w         *writer
	counts    map[tenancy.CompanyID]int64 // change of the number of sessions, for each changed company
	directory bool                        // companies or grants have changed
	known     map[string]bool             // ids of sessions that may exist
	written   session.Written
}

func newBatch(w *writer) *batch {
	return &batch{w: w, counts: map[tenancy.CompanyID]int64{}, known: map[string]bool{}}
}

// write applies the changes until ctx ends. Its statements run with steady, the
// transaction's context.
func (b *batch) write(ctx, steady context.Context, changes []session.Change) error {
	if err := b.lookUp(steady, changes); err != nil {
		return err
	}
	for _, change := range changes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := b.apply(steady, change); err != nil {
			return err
		}
	}
	return b.finish(steady)
}

func (b *batch) apply(ctx context.Context, c session.Change) error {
	switch {
	case c.Kind == session.KindSession && c.Delete:
		return b.deleteSession(ctx, c.SessionID)
	case c.Kind == session.KindSession:
		return b.upsertSession(ctx, c.Session)
	case c.Kind == session.KindCompany && c.Delete:
		return b.directoryDelete(ctx, c, b.w.stmts.deleteCompany, int64(c.Company.ID))
	case c.Kind == session.KindCompany:
		return b.directoryUpsert(ctx, c, b.w.stmts.upsertCompany, int64(c.Company.ID), c.Company.Name, int64(c.Company.ParentID))
	case c.Kind == session.KindGrant && c.Delete:
		return b.directoryDelete(ctx, c, b.w.stmts.deleteGrant, grantValues(c.Grant)...)
	case c.Kind == session.KindGrant:
		return b.directoryUpsert(ctx, c, b.w.stmts.upsertGrant, grantValues(c.Grant)...)
	}
	return fmt.Errorf("sqlite: change of unknown kind %d", c.Kind)
}

func grantValues(g tenancy.Grant) []any {
	return []any{g.Account.Issuer, g.Account.Subject, int64(g.CompanyID)}
}

// finish writes the totals of the changes.
func (b *batch) finish(ctx context.Context) error {
	for company, n := range b.counts {
		if n == 0 {
			continue
		}
		if _, err := b.w.stmts.addCount.ExecContext(ctx, int64(company), n); err != nil {
			return engineError(ctx, err)
		}
	}
	if err := b.w.invalidate(ctx, slices.Collect(maps.Keys(b.counts))); err != nil || !b.directory {
		return err
	}
	_, err := b.w.stmts.raiseDirectoryRevision.ExecContext(ctx)
	return engineError(ctx, err)
}

func (b *batch) directoryUpsert(ctx context.Context, c session.Change, stmt *sql.Stmt, values ...any) error {
	n, err := affected(stmt.ExecContext(ctx, values...))
	b.directoryChanged(c, n)
	b.written.Upserted++
	return engineError(ctx, err)
}

func (b *batch) directoryDelete(ctx context.Context, c session.Change, stmt *sql.Stmt, values ...any) error {
	n, err := affected(stmt.ExecContext(ctx, values...))
	b.directoryChanged(c, n)
	b.countDelete(n > 0)
	return engineError(ctx, err)
}

// directoryChanged invalidates the company, so that those who follow the
// invalidations read the directory again.
func (b *batch) directoryChanged(c session.Change, rows int64) {
	if rows > 0 {
		b.directory = true
		b.counts[c.CompanyID()] += 0
	}
}

func (b *batch) countDelete(there bool) {
	if there {
		b.written.Deleted++
	} else {
		b.written.Missing++
	}
}

func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
