package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/tenancy"
)

// anchorBytes is the memory that all anchors together may take.
const anchorBytes = 8 << 20

// deepPage is a page so far down an order that anchors are worthwhile. SQLite
// counts the rows before a page one by one, for every search; with an anchor it
// counts only the rows after the anchor.
//
// An anchor belongs to one state of the sessions of its scope. The state is read in
// the snapshot of the page, and only anchors of the same state are used. So a page
// has the same rows with anchors as without.
type deepPage struct {
	anchors *paging.Anchors
	key     paging.Key
	from    int // the offset in the whole order
}

// newDeepPage returns nil for a page that is not deep.
func (s *Store) newDeepPage(ctx context.Context, r *reader, set scopeSet, scope tenancy.Scope, q search.Query, o ordered) (*deepPage, error) {
	if q.WithoutItems || o.offset < s.limits.deepOffset {
		return nil, nil //nolint:nilnil // most pages are not
	}
	sequence, err := r.lastInvalidation(ctx, set, s.limits.countedScope)
	if err != nil {
		return nil, err
	}
	q.Sort = q.PageSort()
	return &deepPage{anchors: s.anchors, key: paging.NewKey(scope, q, strconv.FormatInt(sequence, 10)), from: o.offset}, nil
}

// lastInvalidation returns the number of the last transaction, as of the snapshot,
// that changed sessions of the scope; see InvalidationsSince.
func (r *reader) lastInvalidation(ctx context.Context, set scopeSet, narrow int) (sequence int64, err error) {
	in := fmt.Sprintf("company_id IN %s OR company_id = %d", set.sql, allCompanies)
	query := "SELECT max(sequence) FROM touches WHERE " + in // #nosec G202 -- numbers of ours
	if set.size > narrow {
		// Among many companies, one usually changed recently: search from the
		// newest. A few companies are looked up one by one.
		query = "SELECT max(sequence) FROM (SELECT sequence FROM touches INDEXED BY touches_sequence WHERE +" + in +
			" ORDER BY sequence DESC LIMIT 1)"
	}
	err = r.each(ctx, query, nil, func(rows *sql.Rows) error {
		var last sql.NullInt64
		err := rows.Scan(&last)
		sequence = last.Int64
		return err
	})
	return sequence, err
}

// seekFromAnchor moves the start of the order to an anchor before the page. Without
// an anchor nearby, it stores one some rows before the page, for the pages before
// this one.
func (p *planner) seekFromAnchor(ctx context.Context, d *deepPage, o ordered) (ordered, error) {
	if anchor, ok := d.anchors.Below(d.key, d.from); ok {
		rest := d.from - anchor.Rows
		values, err := positionValues(o.terms, &anchor.Position)
		if err != nil {
			return o, err
		}
		o = o.behind(values)
		o.offset = rest
	}
	if o.offset < 2*p.anchorEvery {
		return o, nil
	}
	one := o
	one.offset, one.limit, one.bare = o.offset-p.anchorEvery-1, 1, true
	rows, err := p.pageRows(ctx, one)
	if err != nil || len(rows) == 0 { // the order ends before the page
		return o.with(condition{sql: never}), err
	}
	if err := d.add(d.from-p.anchorEvery, rows[0]); err != nil {
		return o, err
	}
	o = o.behind(rows[0].position)
	o.offset = p.anchorEvery
	return o, nil
}

// add stores an anchor: the given row and the number of rows up to it.
func (d *deepPage) add(rows int, last found) error {
	place, err := positionOf(last.position)
	if err == nil {
		d.anchors.Add(d.key, paging.Anchor{Rows: rows, Position: place})
	}
	return err
}

// deepRows reads what pageRows reads, but uses anchors.
func (p *planner) deepRows(ctx context.Context, d *deepPage, o ordered) ([]found, error) {
	o, err := p.seekFromAnchor(ctx, d, o)
	if err != nil {
		return nil, err
	}
	rows, err := p.pageRows(ctx, o)
	n := min(len(rows), o.limit-1) // without the extra row that shows whether there are more
	if err != nil || n == 0 {
		return rows, err
	}
	return rows, d.add(d.from+n, rows[n-1])
}
