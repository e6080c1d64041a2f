package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/scopegate/scopegate/tenancy"
)

// epochMark is the row of meta that names one life of the touches' numbers.
const epochMark = "touches.epoch"

// allCompanies is the row of touches that stands for every company.
const allCompanies = tenancy.CompanyID(0)

// Touches are the companies whose sessions were written, moved or deleted
// behind a moment that is told by a sequence.
type Touches struct {
	// Epoch is one life of the sequence.
	Epoch string
	// Sequence is that of the last transaction that touched any company.
	Sequence int64
	// Companies holds, for each, the last one that touched it.
	Companies map[tenancy.CompanyID]int64
	// All is the last one that touched every company, as TouchAll does; 0: none
	// behind the sequence asked for.
	All int64
}

// Touch says that sessions of these companies may be other than before: for
// those who changed them by other means than Write, which says so itself.
func (s *Store) Touch(ctx context.Context, companies []tenancy.CompanyID) error {
	return s.writer.transaction(ctx, func(steady context.Context) error {
		return s.writer.touch(steady, companies)
	})
}

// TouchAll is Touch for every company.
func (s *Store) TouchAll(ctx context.Context) error {
	return s.Touch(ctx, []tenancy.CompanyID{allCompanies})
}

// touch gives the companies the transaction's number.
func (w *writer) touch(ctx context.Context, companies []tenancy.CompanyID) error {
	if len(companies) == 0 {
		return nil
	}
	var last int64
	if err := w.stmts.lastTouch.QueryRowContext(ctx).Scan(&last); err != nil {
		return engineError(ctx, err)
	}
	for _, company := range companies {
		if _, err := w.stmts.touch.ExecContext(ctx, int64(company), last+1); err != nil {
			return engineError(ctx, err)
		}
	}
	return nil
}

// TouchesSince tells what was touched behind a sequence, in one snapshot: a
// search that begins afterwards sees all of it. A negative sequence is answered
// with where the numbers stand, and no companies. It is cheap when nothing was
// committed since it was last asked.
func (s *Store) TouchesSince(ctx context.Context, sequence int64) (Touches, error) {
	var found Touches
	err := s.touches.use(ctx, func() (err error) {
		found, err = s.touches.since(ctx, sequence)
		return err
	})
	return found, err
}

// Identity tells this data from all other data of the embedded engine: it is made
// with the data folder and stays.
func (s *Store) Identity(ctx context.Context) (string, error) {
	var id string
	err := s.touches.use(ctx, func() error {
		id = s.touches.last.Epoch
		return nil
	})
	return id, err
}

// touchWatch notices touches, by whichever process.
type touchWatch struct {
	quietConn

	seen int64
	last Touches // as of seen; without companies
}

func openTouchWatch(ctx context.Context, db *sql.DB) (*touchWatch, error) {
	conn, err := openQuiet(ctx, db)
	if err != nil {
		return nil, err
	}
	w := &touchWatch{quietConn: conn}
	err = conn.conn.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", epochMark).Scan(&w.last.Epoch)
	if err != nil {
		return nil, errors.Join(engineError(ctx, err), conn.close())
	}
	return w, nil
}

// since reads the data version first; see watch.refresh.
func (w *touchWatch) since(ctx context.Context, sequence int64) (Touches, error) {
	data, err := w.dataVersion(ctx)
	if err != nil {
		return Touches{}, err
	}
	if data == w.seen && sequence == w.last.Sequence {
		return w.last, nil
	}
	found := Touches{Epoch: w.last.Epoch, Sequence: max(sequence, 0), Companies: map[tenancy.CompanyID]int64{}}
	if sequence < 0 {
		err = w.conn.QueryRowContext(ctx, "SELECT coalesce(max(sequence), 0) FROM touches").Scan(&found.Sequence)
		err = engineError(ctx, err)
	} else {
		err = w.read(ctx, sequence, &found)
	}
	if err != nil {
		return Touches{}, err
	}
	w.seen, w.last = data, Touches{Epoch: found.Epoch, Sequence: found.Sequence}
	return found, nil
}

// read takes the companies in by one statement, which is a snapshot.
func (w *touchWatch) read(ctx context.Context, sequence int64, into *Touches) error {
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
