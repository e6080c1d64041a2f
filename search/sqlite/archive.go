package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/scopegate/scopegate/session"
)

// Archive is a data folder that is opened for reading its whole content. It never
// writes. The folder may have any schema up to this program's, and others may write
// to it meanwhile. An Archive is not safe for concurrent use.
type Archive struct {
	db      *sql.DB
	readers *readers
}

// OpenArchive opens the folder's database, which must exist. Errors: ErrSchema when a
// newer version or another program made the file; search.ErrUnavailable when it can't
// be read.
func OpenArchive(ctx context.Context, dir string) (*Archive, error) {
	path, err := filepath.Abs(filepath.Join(dir, FileName))
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	if _, err := os.Stat(path); err != nil { // SQLite would create it
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	db, err := sql.Open("sqlite", dsn(path, defaultBusyTimeout)+"&_pragma=query_only(1)")
	if err != nil {
		return nil, engineError(ctx, err)
	}
	db.SetMaxIdleConns(-1) // see Open
	a := &Archive{db: db, readers: newReaders(db, 1)}
	if err := a.readers.use(ctx, func(r *reader) error { return readableSchema(ctx, r.conn) }); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), a.Close())
	}
	return a, nil
}

// Close closes the file. No read may be running.
func (a *Archive) Close() error {
	for _, r := range a.readers.idle {
		r.drop()
	}
	return a.db.Close()
}

// Changes passes all records of one read transaction to f as upserts, in batches of
// at most most records: companies first, then grants, then sessions. Stored
// sessions that session.Parse no longer accepts are passed as Unfit in the same
// call. It stops at the first error of f and returns it unchanged.
func (a *Archive) Changes(ctx context.Context, most int, f func([]session.Change, []session.Unfit) error) error {
	var refused error // the error of f, returned untranslated
	hand := func(changes []session.Change, unfit []session.Unfit) error {
		refused = f(changes, unfit)
		return refused
	}
	err := a.readers.use(ctx, func(r *reader) error {
		return r.snapshot(ctx, func() error { return r.changes(ctx, most, hand) })
	})
	if refused != nil {
		return refused
	}
	return err
}

func (r *reader) changes(ctx context.Context, most int, f func([]session.Change, []session.Unfit) error) error {
	directory, err := r.directoryChanges(ctx)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(directory, most) {
		if err := f(some, nil); err != nil {
			return err
		}
	}
	return r.sessionChanges(ctx, most, f)
}

func (r *reader) directoryChanges(ctx context.Context) ([]session.Change, error) {
	companies, err := r.companies(ctx)
	if err != nil {
		return nil, err
	}
	grants, err := r.grants(ctx)
	if err != nil {
		return nil, err
	}
	changes := make([]session.Change, 0, len(companies)+len(grants))
	for _, c := range companies {
		changes = append(changes, session.Change{Kind: session.KindCompany, Company: c})
	}
	for _, g := range grants {
		changes = append(changes, session.Change{Kind: session.KindGrant, Grant: g})
	}
	return changes, nil
}

// sessionChanges reads page by page, by key, so that no statement is open while f
// runs.
func (r *reader) sessionChanges(ctx context.Context, most int, f func([]session.Change, []session.Unfit) error) error {
	const query = `SELECT d.key, d.doc, coalesce(s.id, '') FROM documents d LEFT JOIN sessions s ON s.key = d.key
		WHERE d.key > ? ORDER BY d.key LIMIT ?`
	for last := int64(0); ; {
		var changes []session.Change
		var unfit []session.Unfit
		err := r.each(ctx, query, []any{last, most}, func(rows *sql.Rows) error {
			var raw []byte
			var id string
			if err := rows.Scan(&last, &raw, &id); err != nil {
				return err
			}
			doc, err := session.Parse(raw)
			if err != nil {
				unfit = append(unfit, session.Unfit{Kind: session.KindSession, ID: id, Document: raw, Err: err})
				return nil //nolint:nilerr // the session is unfit; the engine did not fail
			}
			changes = append(changes, session.Change{Kind: session.KindSession, Session: doc})
			return nil
		})
		if err != nil || len(changes)+len(unfit) == 0 {
			return err
		}
		if err := f(changes, unfit); err != nil {
			return err
		}
	}
}
