package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Load reads all companies and grants in one snapshot.
func (s *Store) Load(ctx context.Context) (tenancy.Records, error) {
	var records tenancy.Records
	err := s.readers.use(ctx, func(r *reader) error {
		return r.snapshot(ctx, func() (err error) {
			records, err = r.directory(ctx)
			return err
		})
	})
	if err != nil {
		return tenancy.Records{}, err
	}
	return records, nil
}

// EditDirectory passes the directory to f and writes the changes that f returns,
// step by step, in one transaction: no other process and no other goroutine writes
// meanwhile. It returns an error of f unchanged, and then writes nothing.
func (s *Store) EditDirectory(ctx context.Context, f func(tenancy.Records) ([][]session.Change, error)) (session.Written, error) {
	b := newBatch(s.writer)
	var refusal error
	err := s.writer.transaction(ctx, func(steady context.Context) error {
		records, err := (&reader{conn: s.writer.conn}).directory(steady)
		if err != nil {
			return err
		}
		steps, err := f(records)
		if refusal = err; err != nil {
			return errEnough // engineError passes it on unchanged
		}
		return b.write(ctx, steady, slices.Concat(steps...))
	})
	switch {
	case refusal != nil:
		return session.Written{}, refusal
	case err != nil:
		return session.Written{}, err
	}
	return b.written, nil
}

// directory reads companies and grants in the connection's current transaction.
func (r *reader) directory(ctx context.Context) (records tenancy.Records, err error) {
	if records.Companies, err = r.companies(ctx); err != nil {
		return tenancy.Records{}, err
	}
	records.Grants, err = r.grants(ctx)
	return records, err
}

func (r *reader) companies(ctx context.Context) (companies []tenancy.Company, err error) {
	err = r.each(ctx, "SELECT id, name, parent_id FROM companies ORDER BY id", nil, func(rows *sql.Rows) error {
		var c tenancy.Company
		err := rows.Scan(&c.ID, &c.Name, &c.ParentID)
		companies = append(companies, c)
		return err
	})
	return companies, err
}

func (r *reader) grants(ctx context.Context) (grants []tenancy.Grant, err error) {
	const query = "SELECT issuer, subject, company_id FROM grants ORDER BY issuer, subject, company_id"
	err = r.each(ctx, query, nil, func(rows *sql.Rows) error {
		var g tenancy.Grant
		err := rows.Scan(&g.Account.Issuer, &g.Account.Subject, &g.CompanyID)
		grants = append(grants, g)
		return err
	})
	return grants, err
}

// Version returns the number of changes of companies and grants so far, by all
// processes.
func (s *Store) Version(ctx context.Context) (string, error) {
	return s.watch.version(ctx)
}

// watch notices what others commit. PRAGMA data_version shows a connection the
// commits of all other connections, our own writer's too, so watch needs a
// connection that does nothing else. It reads the row of the revision only after a
// commit.
type watch struct {
	watchConn

	seen     int64
	revision string
}

func openWatch(ctx context.Context, db *sql.DB) (*watch, error) {
	conn, err := openWatchConn(ctx, db)
	if err != nil {
		return nil, err
	}
	return &watch{watchConn: conn}, nil
}

func (w *watch) version(ctx context.Context) (version string, err error) {
	err = w.use(ctx, func() error {
		err := w.refresh(ctx)
		version = w.revision
		return err
	})
	return version, err
}

// refresh reads the data version first. A commit between the two reads is then
// noticed twice instead of never.
func (w *watch) refresh(ctx context.Context) error {
	var revision int64
	data, err := w.dataVersion(ctx)
	if err != nil {
		return err
	}
	if data == w.seen && w.revision != "" {
		return nil
	}
	err = w.conn.QueryRowContext(ctx, "SELECT revision FROM revisions WHERE name = 'directory'").Scan(&revision)
	if err != nil {
		return engineError(ctx, err)
	}
	w.seen, w.revision = data, strconv.FormatInt(revision, 10)
	return nil
}

// Meta reads a value that SetMeta stored; ok is false when there is none.
func (s *Store) Meta(ctx context.Context, name string) (value string, ok bool, err error) {
	err = s.readers.use(ctx, func(r *reader) error {
		err := r.conn.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", name).Scan(&value)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		ok = err == nil
		return err
	})
	return value, ok, err
}

// SetMeta stores a value about the data as a whole, such as that it was seeded.
func (s *Store) SetMeta(ctx context.Context, name, value string) error {
	return s.writer.transaction(ctx, func(steady context.Context) error {
		_, err := s.writer.stmts.setMeta.ExecContext(steady, name, value)
		return err
	})
}

// Empty reports whether the store has neither sessions nor companies.
func (s *Store) Empty(ctx context.Context) (bool, error) {
	var filled bool
	err := s.readers.use(ctx, func(r *reader) error {
		return r.conn.QueryRowContext(ctx,
			"SELECT EXISTS (SELECT 1 FROM sessions) OR EXISTS (SELECT 1 FROM companies)").Scan(&filled)
	})
	return !filled && err == nil, err
}

// Optimize should run after a large import. It merges the trigram index's segments,
// refreshes SQLite's statistics and moves the write-ahead log into the file.
// Searches can run meanwhile.
func (s *Store) Optimize(ctx context.Context) error {
	return s.writer.use(ctx, func() error {
		for _, statement := range []string{
			"INSERT INTO session_terms (session_terms) VALUES ('optimize')",
			"PRAGMA optimize",
			"PRAGMA wal_checkpoint(PASSIVE)",
		} {
			if err := execute(ctx, s.writer.conn, statement); err != nil {
				return err
			}
		}
		return nil
	})
}
