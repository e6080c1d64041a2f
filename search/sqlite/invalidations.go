package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/scopegate/scopegate/tenancy"
)

// epochMark is the row of meta that holds Invalidations.Epoch.
const epochMark = "touches.epoch"

// allCompanies is the row of the table that stands for every company.
const allCompanies = tenancy.CompanyID(0)

// Invalidations are the companies whose sessions were written, moved or deleted
// after a given number of the sequence. Each transaction that changes sessions has
// the next number.
type Invalidations struct {
	// Epoch identifies the sequence: numbers of two epochs are not comparable.
	Epoch string
	// Sequence is the number of the last transaction that changed any company.
	Sequence int64
	// Companies maps each company to the number of the last transaction that
	// changed it.
	Companies map[tenancy.CompanyID]int64
	// All is the number of the last InvalidateAll, 0 when there was none after the
	// given number.
	All int64
}

// Invalidate records that sessions of these companies may have changed. It is for
// changes that were not made by Write; Write records its own.
func (s *Store) Invalidate(ctx context.Context, companies []tenancy.CompanyID) error {
	return s.writer.transaction(ctx, func(steady context.Context) error {
		return s.writer.invalidate(steady, companies)
	})
}

// InvalidateAll does the same for every company.
func (s *Store) InvalidateAll(ctx context.Context) error {
	return s.Invalidate(ctx, []tenancy.CompanyID{allCompanies})
}

// invalidate stores the transaction's number for the companies.
func (w *writer) invalidate(ctx context.Context, companies []tenancy.CompanyID) error {
	if len(companies) == 0 {
		return nil
	}
	var last int64
	if err := w.stmts.lastSequence.QueryRowContext(ctx).Scan(&last); err != nil {
		return engineError(ctx, err)
	}
	for _, company := range companies {
		if _, err := w.stmts.invalidate.ExecContext(ctx, int64(company), last+1); err != nil {
			return engineError(ctx, err)
		}
	}
	return nil
}

// InvalidationsSince returns what was invalidated after a given number of the
// sequence, read in one snapshot: a search that begins afterwards sees all of these
// changes. For a negative number it returns the present number and no companies. It
// is cheap when nothing was committed since the last call.
func (s *Store) InvalidationsSince(ctx context.Context, sequence int64) (Invalidations, error) {
	var found Invalidations
	err := s.invalidations.use(ctx, func() (err error) {
		found, err = s.invalidations.since(ctx, sequence)
		return err
	})
	return found, err
}

// Identity identifies this data: no other data of the embedded engine has the same
// value. It is created with the data folder and does not change.
func (s *Store) Identity(ctx context.Context) (string, error) {
	var id string
	err := s.invalidations.use(ctx, func() error {
		id = s.invalidations.last.Epoch
		return nil
	})
	return id, err
}

// invalidationWatch notices invalidations by all processes.
type invalidationWatch struct {
	watchConn

	seen int64
	last Invalidations // as of seen; without companies
}

func openInvalidationWatch(ctx context.Context, db *sql.DB) (*invalidationWatch, error) {
	conn, err := openWatchConn(ctx, db)
	if err != nil {
		return nil, err
	}
	w := &invalidationWatch{watchConn: conn}
	err = conn.conn.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", epochMark).Scan(&w.last.Epoch)
	if err != nil {
		return nil, errors.Join(engineError(ctx, err), conn.close())
	}
	return w, nil
}

// since reads the data version first; see watch.refresh.
func (w *invalidationWatch) since(ctx context.Context, sequence int64) (Invalidations, error) {
	data, err := w.dataVersion(ctx)
	if err != nil {
		return Invalidations{}, err
	}
	if data == w.seen && sequence == w.last.Sequence {
		return w.last, nil
	}
	found := Invalidations{Epoch: w.last.Epoch, Sequence: max(sequence, 0), Companies: map[tenancy.CompanyID]int64{}}
	if sequence < 0 {
		err = w.conn.QueryRowContext(ctx, "SELECT coalesce(max(sequence), 0) FROM touches").Scan(&found.Sequence)
		err = engineError(ctx, err)
	} else {
		err = w.read(ctx, sequence, &found)
	}
	if err != nil {
		return Invalidations{}, err
	}
	w.seen, w.last = data, Invalidations{Epoch: found.Epoch, Sequence: found.Sequence}
	return found, nil
}

// read reads the companies with one statement, which is a snapshot.
func (w *invalidationWatch) read(ctx context.Context, sequence int64, into *Invalidations) error {
	const query = "SELECT company_id, sequence FROM touches WHERE sequence > ?"
	return (&reader{conn: w.conn}).each(ctx, query, []any{sequence}, func(rows *sql.Rows) error {
		var company tenancy.CompanyID
		var at int64
		if err := rows.Scan(&company, &at); err != nil {
			return err
		}
		into.Sequence = max(into.Sequence, at)
		if company == allCompanies {
			into.All = at
			return nil
		}
		into.Companies[company] = at
		return nil
	})
}
