package sqlite

import (
	"context"
	"database/sql"
	"slices"

	"github.com/scopegate/scopegate/session"
)

// Changes hands over all records of one snapshot as upserts, at most so many at
// a time: companies, then grants, then sessions. Sessions that session.Parse
// takes no more come beside them. It ends with the first error of f, unchanged.
func (s *Store) Changes(ctx context.Context, most int, f func([]session.Change, []session.Unfit) error) error {
	var refused error // f's, which is not the engine's to translate
	hand := func(changes []session.Change, unfit []session.Unfit) error {
		refused = f(changes, unfit)
		return refused
	}
	err := s.readers.use(ctx, func(r *reader) error {
		return r.snapshot(ctx, func() error {
			directory, err := r.directoryChanges(ctx)
			if err != nil {
				return err
			}
			for some := range slices.Chunk(directory, most) {
				if err := hand(some, nil); err != nil {
					return err
				}
			}
			return r.sessionChanges(ctx, most, hand)
		})
	})
	if refused != nil {
		return refused
	}
	return err
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

// sessionChanges reads by key, so that no statement is open while f runs.
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
				unfit = append(unfit, session.Unfit{ID: id, Document: raw, Err: err})
				return nil //nolint:nilerr // the session is unfit, which is no fault of the engine
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
