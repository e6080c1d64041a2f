package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func upsert(d session.Document) session.Change {
	return session.Change{Kind: session.KindSession, Session: d}
}

func removal(id string) session.Change {
	return session.Change{Kind: session.KindSession, Delete: true, SessionID: id}
}

func TestWrittenSaysWhatABatchDid(t *testing.T) {
	s := openStore(t)
	a := newSession(t, "a", 1, values{"name": "Anna"})
	for _, step := range []struct {
		changes []session.Change
		want    session.Written
	}{
		{nil, session.Written{}},
		{[]session.Change{upsert(a), removal("b")}, session.Written{Upserted: 1, Missing: 1}},
		{[]session.Change{upsert(a), upsert(a)}, session.Written{Upserted: 2}},
		{[]session.Change{removal("a"), removal("a"), upsert(a)}, session.Written{Upserted: 1, Deleted: 1, Missing: 1}},
	} {
		got, err := s.Write(t.Context(), step.changes)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAnUnchangedSessionIsNotWrittenAgain(t *testing.T) {
	s := openStore(t)
	a := newSession(t, "a", 1, values{"name": "Anna", "tags": "x,y"})
	write(t, s, a)
	before := totalChanges(t, s)
	write(t, s, a)
	if got := totalChanges(t, s) - before; got != 0 {
		t.Errorf("%d rows written", got)
	}
}

func totalChanges(tb testing.TB, s *Store) (n int) {
	tb.Helper()
	if err := s.writer.conn.QueryRowContext(tb.Context(), "SELECT total_changes()").Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

func TestABatchIsWrittenWhollyOrNotAtAll(t *testing.T) {
	s := openStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	changes := []session.Change{upsert(newSession(t, "a", 1, nil))}
	if _, err := s.Write(ctx, changes); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	changes = append(changes, session.Change{Kind: 99})
	if _, err := s.Write(t.Context(), changes); err == nil {
		t.Error("a change of no kind was written")
	}
	if empty, err := s.Empty(t.Context()); !empty || err != nil {
		t.Errorf("something stayed behind; error %v", err)
	}
	write(t, s, newSession(t, "b", 1, nil))
}

// The side tables agree with table sessions after any sequence of writes.
func TestSideTablesFollowTheSessions(t *testing.T) {
	s := openStore(t)
	rapid.Check(t, func(rt *rapid.T) {
		var changes []session.Change
		for range rapid.IntRange(1, 8).Draw(rt, "changes") {
			id := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "id")
			if rapid.IntRange(0, 3).Draw(rt, "delete") == 0 {
				changes = append(changes, removal(id))
				continue
			}
			changes = append(changes, upsert(newSession(t, id, rapid.IntRange(1, 3).Draw(rt, "company"), values{
				"name":          rapid.SampledFrom([]string{"", "Anna", "Пётр Первый"}).Draw(rt, "name"),
				"tags":          rapid.SampledFrom([]string{"", "x", "x,y", " y , z,x,x"}).Draw(rt, "tags"),
				"whatsappPhone": rapid.SampledFrom([]string{"", "79991234567"}).Draw(rt, "phone"),
			})))
		}
		if _, err := s.Write(t.Context(), changes); err != nil {
			rt.Fatal(err)
		}
		for name, sql := range map[string]string{
			"company_counts": `SELECT count(*) FROM (SELECT company_id, count(*) AS n FROM sessions GROUP BY 1) AS s
				FULL JOIN (SELECT * FROM company_counts WHERE sessions <> 0) AS c USING (company_id) WHERE s.n IS NOT c.sessions`,
			"documents": "SELECT count(*) FROM sessions AS s FULL JOIN documents AS d USING (key) WHERE s.id IS NULL OR d.doc IS NULL",
			"session_tags": `SELECT count(*) FROM session_tags AS t LEFT JOIN sessions AS s USING (key)
				WHERE coalesce(instr(s.tags, ',' || t.tag || ','), 0) = 0`,
			"session_terms": "SELECT count(*) FROM sessions AS s FULL JOIN session_terms_docsize AS d ON d.id = s.key WHERE s.id IS NULL OR d.id IS NULL",
		} {
			if n := differences(rt, s, sql); n != 0 {
				rt.Errorf("%s: %d rows differ", name, n)
			}
		}
	})
}

func differences(rt *rapid.T, s *Store, sql string) (n int64) {
	err := s.readers.use(context.Background(), func(r *reader) (err error) {
		n, err = r.number(context.Background(), sql)
		return err
	})
	if err != nil {
		rt.Fatal(err)
	}
	return n
}

func TestTwoProcessesWriteAtTheSameTime(t *testing.T) {
	dir := t.TempDir()
	stores := []*Store{openAt(t, dir), openAt(t, dir)}
	const batches = 20
	var wg sync.WaitGroup
	for n, s := range stores {
		for batch := range batches {
			wg.Go(func() {
				change := upsert(newSession(t, fmt.Sprint(n, "-", batch), 1, nil))
				if _, err := s.Write(t.Context(), []session.Change{change}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	for _, s := range stores {
		got, err := s.Search(t.Context(), tenancytest.Scope(t, 1), search.Query{WithoutItems: true})
		if err != nil || got.Count.Total != int64(len(stores)*batches) {
			t.Errorf("count %d, error %v", got.Count.Total, err)
		}
	}
}

func TestAMovedSessionLeavesItsFormerCompany(t *testing.T) {
	s := openStore(t)
	write(t, s, newSession(t, "a", 1, nil), newSession(t, "b", 1, nil))
	write(t, s, newSession(t, "a", 2, nil))
	for id, want := range map[tenancy.CompanyID][]string{1: {"b"}, 2: {"a"}} {
		got, err := s.Search(t.Context(), tenancytest.Scope(t, id), search.Query{Limit: 10, Fields: session.AllFields()})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(ids(t, got.Page), want) || got.Count.Total != int64(len(want)) {
			t.Errorf("company %d: %v, count %d", id, ids(t, got.Page), got.Count.Total)
		}
	}
}

func TestAFullDiskIsCalledThat(t *testing.T) {
	s := openStore(t)
	if err := execute(t.Context(), s.writer.conn, "PRAGMA max_page_count = 1"); err != nil { // the present number of pages
		t.Fatal(err)
	}
	var changes []session.Change
	for i := range 2000 {
		doc, err := session.Parse(fmt.Appendf(nil, `{"id":"full-%d","companyId":1,"name":%q}`, i, strings.Repeat("long ", 100)))
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, session.Change{Kind: session.KindSession, Session: doc})
	}
	_, err := s.Write(t.Context(), changes)
	if !errors.Is(err, search.ErrUnavailable) || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("error %v", err)
	}
	if err := execute(t.Context(), s.writer.conn, "PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(t.Context(), changes); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
