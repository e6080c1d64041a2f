package searchtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// wholly reads a complete snapshot of the query (up to its limit) and reports every
// difference from the naive scan.
func (e *env) wholly(ctx context.Context, a ask) error {
	want, err := scan(e.held(a.companies), a.unlimited())
	if err != nil {
		return err
	}
	return e.reads(ctx, a, want, func(int) error { return nil })
}

func (a ask) unlimited() ask {
	if a.query.Limit == 0 {
		a.query.Limit = 1 << 40
	}
	return a
}

// reads compares a snapshot with an answer, and calls between after each batch.
func (e *env) reads(ctx context.Context, a ask, want answer, between func(batch int) error) (err error) {
	q, err := a.forEngine()
	if err != nil {
		return err
	}
	s, err := e.engine.Snapshot(ctx, e.scopes.of(a.companies), q)
	if err != nil {
		return fmt.Errorf("%v: snapshot: %w", a, err)
	}
	defer func() {
		if err = errors.Join(err, s.Close(), s.Close()); err != nil {
			err = fmt.Errorf("%v: snapshot: %w", a, err)
		}
	}()
	var rows []search.Row
	for n := 0; ; n++ {
		if err := between(n); err != nil {
			return err
		}
		batch, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			return errors.New("a batch without rows")
		}
		for _, row := range batch { // rows are valid only until the next batch
			row.JSON = bytes.Clone(row.JSON)
			rows = append(rows, row)
		}
	}
	if _, again := s.Next(ctx); !errors.Is(again, io.EOF) {
		return fmt.Errorf("behind the end: %w, want io.EOF again", again)
	}
	if s.Count() != want.total {
		return fmt.Errorf("count: got %d, want %d", s.Count(), want.total)
	}
	return compareRows(a, rows, want)
}

// compareRows is like comparePage, without what a snapshot does not return.
func compareRows(a ask, rows []search.Row, want answer) error {
	if err := compareIDs(a, rows, want); err != nil {
		return err
	}
	fields := names(a.query.Fields)
	for i, row := range rows {
		if err := compareItem(row.JSON, want.page[i].project(fields)); err != nil {
			return fmt.Errorf("row %d, session %q: %w", i, want.page[i].id, err)
		}
		if row.CompanyID != want.page[i].company {
			return fmt.Errorf("row %d, company: got %d, want %d", i, row.CompanyID, want.page[i].company)
		}
	}
	return nil
}

func wholly(name string, a ask) check {
	a.query.WithoutCount = false
	if a.query.Limit == search.MaxLimit {
		a.query.Limit = 0
	}
	return check{name, func(ctx context.Context, e *env) error { return e.wholly(ctx, a) }}
}

func snapshotChecks() []check {
	var all []check
	of := func(name string, a ask) { all = append(all, wholly("snapshot/"+name, a)) }
	paged, mixed := everything(pageCo).by("name"), everything(sortCo, pageCo, orderCo)
	for _, f := range sortable() {
		of(f.Name, mixed.by(f.Name))
		of("-"+f.Name, mixed.by("-"+f.Name))
	}
	of("of several keys", mixed.by("-messengerType", "rating", "-startedAt"))
	of("of all fixtures", everything(filterCo, scriptCo, phoneCo, placeCo, lengthCo, fieldCo, syntaxCo).by("-createdAt"))
	of("of a keyword", everything(scriptCo, filterCo).find("anna"))
	of("of nothing", paged.find("nobody"))
	of("with a filter", paged.find("pager 1"))
	of("with few fields", paged.fields(fieldsOf("status", "name")))
	of("with a limit", paged.page(0, 7))
	of("with a limit of one", paged.page(0, 1))
	of("with a limit over all", paged.page(0, 5000))
	of("with an offset", paged.page(9, 0))
	of("with an offset and a limit", paged.page(9, 4))
	of("with an offset over all", paged.page(500, 0))
	of("behind a position", paged.after(writePosition("pager 1", "g04")))
	of("behind a position with an offset and a limit", paged.after(writePosition("pager 0")).page(3, 5))
	of("behind the last row", paged.after(writePosition("pagers")))
	of("behind an id", mixed.by("id").after(writePosition("b")))
	of("behind an id downwards", mixed.by("-id").after(writePosition("o04")))
	of("of an empty scope", everything())
	of("of a company without sessions", everything(lonelyCo))
	of("of many companies", everything(twins()...))
	of("of 5,000 companies", everything(wide()...).by("-companyId"))
	return append(all,
		check{"snapshot/without an order has each row once", unordered(everything(sortCo, pageCo))},
		check{"snapshot/a position of another order is refused", refusedSnapshot(paged.after(writePosition(1)))},
		check{"snapshot/that is cancelled beforehand is refused", cancelledSnapshot(paged)},
		check{"snapshot/that is cancelled midway can be closed", cancelledReading(paged)},
	)
}

// unordered sorts rows of any order by id.
func unordered(a ask) func(context.Context, *env) error {
	return func(ctx context.Context, e *env) error {
		want, err := scan(e.held(a.companies), a.by("id"))
		if err != nil {
			return err
		}
		a.query.Sort, a.query.Limit = nil, 0
		s, err := e.engine.Snapshot(ctx, e.scopes.of(a.companies), a.query)
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for {
			rows, err := s.Next(ctx)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return errors.Join(err, s.Close())
			}
			for _, row := range rows {
				id := rowID(row)
				if seen[id] {
					return errors.Join(fmt.Errorf("%q comes twice", id), s.Close())
				}
				seen[id] = true
			}
		}
		for _, id := range want.ids() {
			if !seen[id] {
				return errors.Join(fmt.Errorf("%q is missing", id), s.Close())
			}
		}
		if len(seen) != len(want.page) {
			return errors.Join(fmt.Errorf("%d rows, want %d", len(seen), len(want.page)), s.Close())
		}
		return s.Close()
	}
}

func refusedSnapshot(a ask) func(context.Context, *env) error {
	return func(ctx context.Context, e *env) error {
		s, err := e.engine.Snapshot(ctx, e.scopes.of(a.companies), a.query)
		if err == nil {
			return errors.Join(errors.New("no error"), s.Close())
		}
		if !errors.Is(err, search.ErrInvalidPosition) {
			return fmt.Errorf("error %w, want %w", err, search.ErrInvalidPosition)
		}
		return nil
	}
}

func cancelledSnapshot(a ask) func(context.Context, *env) error {
	return func(ctx context.Context, e *env) error {
		dead, cancel := context.WithCancel(ctx)
		cancel()
		s, err := e.engine.Snapshot(dead, e.scopes.of(a.companies), a.query)
		if err == nil {
			return errors.Join(errors.New("no error"), s.Close())
		}
		if !ofContext(err) {
			return err
		}
		return e.wholly(ctx, a.page(0, 0))
	}
}

// cancelledReading cancels after the snapshot was opened: no more rows come, and
// Close still works.
func cancelledReading(a ask) func(context.Context, *env) error {
	return func(ctx context.Context, e *env) error {
		brief, cancel := context.WithCancel(ctx)
		defer cancel()
		s, err := e.engine.Snapshot(brief, e.scopes.of(a.companies), a.query)
		if err != nil {
			return err
		}
		cancel()
		rows, err := s.Next(brief)
		if !ofContext(err) || len(rows) > 0 {
			return errors.Join(fmt.Errorf("%d rows, error %w; want the context's", len(rows), err), s.Close())
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			return err
		}
		return e.wholly(ctx, a.page(0, 0))
	}
}

// snapshotWriteChecks write while a snapshot is read.
func snapshotWriteChecks() []check {
	orders := []string{"id", "-id", "-startedAt", "name", "-rating"}
	var all []check
	for i, key := range orders {
		a := everything(snapCo+tenancy.CompanyID(2*i)).by(key).page(0, 0)
		all = append(all, check{"snapshot/by " + key + " while others write", func(ctx context.Context, e *env) error {
			return whileWritten(ctx, e, a, i)
		}})
	}
	return all
}

// snapshotRows are enough for several batches.
const snapshotRows = 320

// whileWritten changes, moves, deletes and adds sessions between the batches. The
// snapshot must not show these changes.
func whileWritten(ctx context.Context, e *env, a ask, round int) error {
	company := a.companies[0]
	id := func(n int) string { return fmt.Sprintf("snap-%d-%03d", round, n*131%snapshotRows) }
	one := func(n, version int) spec {
		return spec{id(n), company, values{"name": fmt.Sprintf("v%d %d", version, n%5), "startedAt": at(n / 3), "rating": float64(n % 4)}}
	}
	var specs []spec
	for n := range snapshotRows {
		specs = append(specs, one(n, 0))
	}
	if err := e.write(ctx, mustBuild(specs...)...); err != nil {
		return err
	}
	want, err := scan(e.held(a.companies), a.unlimited())
	if err != nil {
		return err
	}
	err = e.reads(ctx, a, want, func(batch int) error {
		if batch > 3 {
			return nil
		}
		var changed []spec
		for n := batch; n < snapshotRows; n += 7 {
			changed = append(changed, one(n, batch+1))
		}
		moved := one(batch+40, 9)
		moved.company++
		changed = append(changed, moved, spec{fmt.Sprintf("snap-%d-new-%d", round, batch), company, values{"name": "v0"}})
		if err := e.write(ctx, mustBuild(changed...)...); err != nil {
			return err
		}
		_, err := e.remove(ctx, id(batch+80), id(batch+200))
		return err
	})
	if err != nil {
		return err
	}
	return e.wholly(ctx, a)
}
