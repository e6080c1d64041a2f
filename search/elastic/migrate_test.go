package elastic

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// openNext opens a program of the next schema on the indices of an old one.
func openNext(tb testing.TB, old *Store) *Store {
	tb.Helper()
	return nextOf(openWith(tb, old.options))
}

func nextOf(s *Store) *Store {
	s.steps = longer(schema.Step{Elasticsearch: schema.Rewritten})
	s.limits.noticed = 200 * time.Millisecond
	s.limits.followEvery = 50 * time.Millisecond
	s.limits.retryFor = 10 * time.Second
	return s
}

// mayStop fails every request after a number of them, as if the process was killed.
type mayStop struct {
	http.RoundTripper

	left atomic.Int64
}

var errStopped = errors.New("killed")

func (m *mayStop) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.left.Add(-1) < 0 {
		return nil, errStopped
	}
	return m.RoundTripper.RoundTrip(r)
}

// migrateUntil runs a migration that is killed after a number of requests.
func migrateUntil(tb testing.TB, old *Store, requests int, f func(*Store) error) (killed bool) {
	tb.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	stop := &mayStop{RoundTripper: transport}
	stop.left.Store(int64(requests))
	o := old.options
	o.Transport = stop
	s := nextOf(openWith(tb, o))
	s.limits.copyRows, s.limits.retryFor = 50, time.Millisecond
	err := f(s)
	if err != nil && stop.left.Load() >= 0 {
		tb.Fatal(err)
	}
	return err != nil
}

// testCompanies are those of the sessions of these tests.
func testCompanies() []tenancy.CompanyID { return []tenancy.CompanyID{1, 2, 3, 4, 5} }

// shown returns all sessions that a program finds, by id.
func shown(tb testing.TB, s *Store) map[string]string {
	tb.Helper()
	s.fits.known.Store(nil) // what was known before
	all := map[string]string{}
	for _, row := range exported(tb, s, whole(), testCompanies()...) {
		id := idOf(row.JSON)
		if _, double := all[id]; double {
			tb.Errorf("the session %s is there twice", id)
		}
		all[id] = string(row.JSON)
	}
	return all
}

// wantSame compares the sessions that two programs find.
func wantSame(tb testing.TB, old, next *Store) {
	tb.Helper()
	refreshPlain(tb, old)
	if err := next.refresh(tb.Context(), next.searched()); err != nil {
		tb.Fatal(err)
	}
	if diff := cmp.Diff(shown(tb, old), shown(tb, next)); diff != "" {
		tb.Errorf("old and new program find other sessions (-old +new):\n%s", diff)
	}
}

// wantCopied compares all documents of the two indices, also those that no search
// shows.
func wantCopied(tb testing.TB, next *Store) {
	tb.Helper()
	l, err := next.locate(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	if diff := cmp.Diff(documents(tb, next, l.plain.name), documents(tb, next, l.own.name)); diff != "" {
		tb.Errorf("the indices differ (-old +new):\n%s", diff)
	}
}

// documents returns the documents of an index by routing and _id.
func documents(tb testing.TB, s *Store, index string) map[string]string {
	tb.Helper()
	var a struct {
		Hits struct {
			Hits []copiedHit `json:"hits"`
		} `json:"hits"`
	}
	if err := s.refresh(tb.Context(), index); err != nil {
		tb.Fatal(err)
	}
	if err := (&migrating{Store: s}).searchWhole(tb.Context(), index, clause{"size": 10_000}, &a); err != nil {
		tb.Fatal(err)
	}
	all := map[string]string{}
	for _, h := range a.Hits.Hits {
		if !oneLine((*[]byte)(&h.Source)) {
			tb.Fatalf("the document %s is no JSON", h.ID)
		}
		all[h.Routing+"/"+h.ID] = string(h.Source)
	}
	return all
}

// fill writes sessions as the importer does, some of them again, and deletes some.
func fill(tb testing.TB, s *Store, n int) {
	tb.Helper()
	for round := range 2 {
		var changes []session.Change
		for i := range n {
			id := fmt.Sprintf("s-%04d", i)
			switch {
			case round == 0 || i%3 == 0:
				changes = append(changes, upserts(newSession(tb, id, 1+(i+round)%5, values{"botName": fmt.Sprint("round ", round)}))...)
			case i%7 == 0:
				changes = append(changes, gone(id))
			}
		}
		if _, err := s.Write(tb.Context(), changes); err != nil {
			tb.Fatal(err)
		}
	}
}

// fillPlain writes documents that an importer never writes.
func fillPlain(tb testing.TB, s *Store) {
	tb.Helper()
	mustWritePlain(tb, s,
		plainDocument{"lines", "{\"id\": \"lines\",\n \"companyId\": 1, \"rating\": 4.50}\n"},
		plainDocument{"nobody's", `{"id": "nobody's"}`},
		plainDocument{"two", `{"id": "two", "companyId": [1, 2]}`},
		plain(tb, "ordinary", 2, values{"name": "Ünïcode \u2028"}),
	)
	if status := putPlain(tb, s, plainDocument{"routed", `{"id": "routed", "companyId": 3}`}, "?routing=elsewhere"); status != http.StatusCreated {
		tb.Fatalf("status %d", status)
	}
	refreshPlain(tb, s)
}

func mustMigrate(tb testing.TB, s *Store, o MigrateOptions) Migrated {
	tb.Helper()
	done, err := s.Migrate(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	return done
}

func TestAMigratedIndexHasEveryDocumentAndBothVersionsSearch(t *testing.T) {
	t.Parallel()
	old := openStore(t, 2)
	next := openNext(t, old)
	next.limits.copyRows = 70
	fill(t, old, 600)
	fillPlain(t, old)
	wantSame(t, old, next) // a new program that knows the old schema
	if _, err := next.DropOld(t.Context(), MigrateOptions{}); !errors.Is(err, ErrNoMigration) {
		t.Errorf("drop before: %v", err)
	}
	if _, err := next.AbortMigration(t.Context()); !errors.Is(err, ErrNoMigration) {
		t.Errorf("abort before: %v", err)
	}
	var last MigrationProgress
	done := mustMigrate(t, next, MigrateOptions{Progress: func(p MigrationProgress) { last = p }})
	wantCopied(t, next)
	wantSame(t, old, next)
	if n := len(documents(t, next, done.Index)); done.Sessions != int64(n) || done.Old != old.sessions() || last.Done != last.Of {
		t.Errorf("%+v, progress %+v; %d documents", done, last, n)
	}

	// Both go on: a new importer writes both, others write the old one.
	write(t, next, newSession(t, "by-new", 1, nil), newSession(t, "s-0000", 4, nil))
	if _, err := next.Write(t.Context(), []session.Change{gone("s-0003"), gone("never")}); err != nil {
		t.Fatal(err)
	}
	wantSame(t, old, next)
	write(t, old, newSession(t, "by-old", 1, nil), newSession(t, "s-0001", 5, nil))
	if _, err := old.Write(t.Context(), []session.Change{gone("s-0002"), gone("lines")}); err != nil {
		t.Fatal(err)
	}
	status, err := next.Status(t.Context())
	if err != nil || status.Migration == nil || !status.Migration.Searched || status.Migration.Of <= status.Migration.Done {
		t.Errorf("status: %+v, error %v; want what is not copied yet", status.Migration, err)
	}
	mustMigrate(t, next, MigrateOptions{})
	wantCopied(t, next)
	wantSame(t, old, next)
	if _, err := next.AbortMigration(t.Context()); !errors.Is(err, ErrSwitched) {
		t.Errorf("abort: %v, want %v", err, ErrSwitched)
	}

	// The end.
	write(t, old, newSession(t, "last", 1, nil))
	before := shown(t, old)
	dropped, err := next.DropOld(t.Context(), MigrateOptions{})
	if err != nil || dropped != old.sessions() {
		t.Fatalf("dropped %q, error %v", dropped, err)
	}
	if diff := cmp.Diff(before, shown(t, next)); diff != "" {
		t.Errorf("after the drop (-before +after):\n%s", diff)
	}
	if err := old.Ping(t.Context()); !errors.Is(err, ErrSchema) {
		t.Errorf("the old program: %v, want %v", err, ErrSchema)
	}
	mustWritePlain(t, old, plain(t, "afterwards", 1, nil))
	write(t, next, newSession(t, "s-0001", 2, nil))
	if all := shown(t, next); len(all) != len(before)+1 || all["afterwards"] == "" {
		t.Errorf("%d sessions, want %d", len(all), len(before)+1)
	}
	if status, err = next.Status(t.Context()); err != nil || status.Migration != nil || status.Indices[0].Problem != "" {
		t.Errorf("status: %+v, error %v", status, err)
	}
	if again := mustMigrate(t, next, MigrateOptions{}); again.Old != "" || again.Index != done.Index {
		t.Errorf("migrated again: %+v", again)
	}
	if _, err := next.DropOld(t.Context(), MigrateOptions{}); !errors.Is(err, ErrNoMigration) {
		t.Errorf("drop again: %v", err)
	}
}

// The step to the second folding table, from an index as the program before made it.
func TestAnIndexOfSchema2IsSearchedByItsOwnRulesUntilItIsMigrated(t *testing.T) {
	t.Parallel()
	first := openBare(t, 1)
	first.steps = schema.Steps()[:2]
	if _, err := first.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := openWith(t, first.options)
	now.limits.noticed = 200 * time.Millisecond
	write(t, first, newSession(t, "smart", 1, values{"name": "O\u2019Brien"}), newSession(t, "plain", 1, values{"name": "O'Brien"}))
	find := func(s *Store) []string {
		t.Helper()
		s.fits.known.Store(nil)
		result, err := s.Search(t.Context(), tenancytest.Scope(t, 1), search.Query{
			Filter: search.Filter{Keyword: mustKeyword(t, "o'brien")}, Sort: []search.SortKey{{Field: "id"}}, Fields: session.AllFields(), Limit: 5,
		})
		if err != nil {
			t.Fatal(err)
		}
		return ids(t, result.Page)
	}
	for when, s := range map[string]*Store{"the program before": first, "this program, before": now} {
		if diff := cmp.Diff([]string{"plain"}, find(s)); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	mustMigrate(t, now, MigrateOptions{})
	if diff := cmp.Diff([]string{"plain"}, find(first)); diff != "" {
		t.Errorf("the program before, after the switch: %s", diff)
	}
	if diff := cmp.Diff([]string{"plain", "smart"}, find(now)); diff != "" {
		t.Errorf("this program, after the switch: %s", diff)
	}
}

func TestASearchThatHasBegunStaysWithItsIndexAndItsRules(t *testing.T) {
	s, f := openFake(t, always(http.StatusOK, noHits))
	before := schema.Steps()[1]
	s.fits.known.Store(&checkedFitness{step: before, asked: time.Now().Add(time.Hour)})
	v := &view{store: s}
	if err := v.choose(t.Context(), search.Filter{}); err != nil {
		t.Fatal(err)
	}
	s.fits.known.Store(&checkedFitness{read: s.ownNames().read, step: s.steps.Newest(), asked: time.Now().Add(time.Hour)})
	if _, err := v.ask(t.Context(), []byte(`{"match_all":{}}`), request{}); err != nil {
		t.Fatal(err)
	}
	if v.step.Folding != before.Folding || f.asked["/scopegate-sessions/_search"] != 1 {
		t.Errorf("schema %d, requests %v", v.step.Schema, f.asked)
	}
}

func TestAProgramThatCannotSearchAnOlderSchemaSaysHowToMigrateAndWritesAllTheSame(t *testing.T) {
	t.Parallel()
	old := openStore(t, 1)
	next := openNext(t, old)
	for i := range next.steps[:len(next.steps)-1] {
		next.steps[i].Searched = false
	}
	for name, err := range map[string]error{"ready": next.Ping(t.Context()), "create": func() error { _, err := next.Create(t.Context()); return err }()} {
		if !errors.Is(err, ErrSchema) || !strings.Contains(reason.Of(err), "scopegate index migrate") {
			t.Errorf("%s: %v, want %v and what to do", name, err, ErrSchema)
		}
	}
	write(t, next, newSession(t, "a", 1, nil))
	if all := shown(t, old); len(all) != 1 {
		t.Errorf("the old program finds %d sessions", len(all))
	}
	if _, err := next.Load(t.Context()); err != nil {
		t.Errorf("companies and grants: %v", err)
	}
	mustMigrate(t, next, MigrateOptions{})
	wantSame(t, old, next)
}

func TestAMigrationThatIsKilledAtAnyMomentGoesOnOrIsUndone(t *testing.T) {
	t.Parallel()
	old := openStore(t, 2)
	fill(t, old, 600)
	fillPlain(t, old)
	begun := documents(t, old, old.sessions())
	next := openNext(t, old)
	for trial := range 3 {
		kills := 0
		for requests := 1 + rand.IntN(60); migrateUntil(t, old, requests, func(s *Store) error {
			_, err := s.Migrate(t.Context(), MigrateOptions{})
			return err
		}); requests += rand.IntN(40) {
			kills++
			if trial%2 == 0 && kills == 2 {
				if _, err := next.AbortMigration(t.Context()); err != nil && !errors.Is(err, ErrNoMigration) && !errors.Is(err, ErrSwitched) {
					t.Fatal(err)
				}
			}
			l, err := next.locate(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if l.switched {
				wantCopied(t, next)
			}
			// Writes go on, whatever was left.
			if l.own.Mappings.Meta.Migration.Blocked {
				continue
			}
			id := fmt.Sprintf("between-%d-%d", trial, kills)
			write(t, next, newSession(t, id, 1, nil))
			begun["/"+id] = documents(t, old, old.sessions())["/"+id]
		}
		wantCopied(t, next)
		if diff := cmp.Diff(begun, documents(t, old, old.sessions())); diff != "" {
			t.Fatalf("the old index was changed:\n%s", diff)
		}
		// Begin anew.
		if err := next.deleteIndex(t.Context(), next.ownNames().first()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDropOldThatIsKilledAtAnyMomentGoesOn(t *testing.T) {
	t.Parallel()
	old := openStore(t, 1)
	fill(t, old, 200)
	next := openNext(t, old)
	mustMigrate(t, next, MigrateOptions{})
	want := documents(t, old, old.sessions())
	kills := 0
	for requests := 1; migrateUntil(t, old, requests, func(s *Store) error {
		_, err := s.DropOld(t.Context(), MigrateOptions{})
		return err
	}); requests += 2 {
		kills++
		if all := shown(t, next); len(all) != len(want) {
			t.Fatalf("%d sessions, want %d", len(all), len(want))
		}
	}
	if kills < 5 {
		t.Errorf("killed %d times", kills)
	}
	l, err := next.locate(t.Context())
	if err != nil || l.plain.name != l.own.name || l.own.Mappings.Meta.Migration.OldUUID != "" {
		t.Errorf("%+v, error %v", l, err)
	}
	if diff := cmp.Diff(want, documents(t, next, l.own.name)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	mustWritePlain(t, old, plain(t, "afterwards", 1, nil))
}

func TestAnUndoneMigrationLeavesTheOldIndexAsItWas(t *testing.T) {
	t.Parallel()
	old := openStore(t, 1)
	fill(t, old, 200)
	next := openNext(t, old)
	migrateUntil(t, old, 12, func(s *Store) error { _, err := s.Migrate(t.Context(), MigrateOptions{}); return err })
	setting(t, old, old.sessions(), values{"index.blocks.write": true}) // as if it was killed while it switched
	m := migrating{Store: next, new: next.ownNames().first(), has: newestMark(next.steps)}
	l, err := next.locate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.marks = l.own.Mappings.Meta.Migration
	m.marks.Blocked = true
	if err := m.saveMarks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := next.AbortMigration(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, old, newSession(t, "afterwards", 1, nil))
	if rows, err := old.catalogued(t.Context(), old.options.Index+"-sessions*"); err != nil || len(rows) != 1 {
		t.Errorf("indices %+v, error %v", rows, err)
	}
	mustMigrate(t, next, MigrateOptions{})
	wantSame(t, old, next)
}

func TestADeleteAfterAMigrationWasUndoneMakesNoIndex(t *testing.T) {
	t.Parallel()
	s := openNext(t, openStore(t, 1))
	gone := operation{place: place{index: s.ownNames().write, id: "a"}, external: 7}
	if _, err := s.writeRound(t.Context(), []operation{gone}, refreshNow); err != nil {
		t.Error(err)
	}
	if rows, err := s.catalogued(t.Context(), s.ownNames().read+"*"); err != nil || len(rows) != 0 {
		t.Errorf("indices %+v, error %v", rows, err)
	}
}
