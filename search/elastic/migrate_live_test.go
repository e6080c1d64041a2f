package elastic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// migrateVariable is the number of sessions of the long form of the test below; see
// `make test-migrate`.
const migrateVariable = "SCOPEGATE_TEST_MIGRATE_SESSIONS"

const (
	shortMigration = 2000
	stillCompany   = 5 // nobody writes its sessions
	sharedCompany  = 4 // everybody writes its sessions
)

// live is a migration with everybody at work.
type live struct {
	old, next *Store
	address   string
	sessions  int // of stillCompany
	scopes    map[int]tenancy.Scope
	stop      context.Context //nolint:containedctx // it only ends the loops of the writers and readers

	expected [sharedCompany]map[string]string // by company: the name by id, what its only writer has written
}

// writer is somebody who writes sessions, named by company.
type writer struct {
	company int
	put     func(id, name string) error
	remove  func(id string) error
	// seen is who must find a write as soon as it is acknowledged.
	seen []*Store
}

func (l *live) write(ctx context.Context, w writer) error {
	names := map[string]string{}
	l.expected[w.company] = names
	for n := 0; l.stop.Err() == nil; n++ {
		id := fmt.Sprintf("%d-%d", w.company, rand.IntN(30))
		var err error
		if name := fmt.Sprint(w.company, " wrote ", n); rand.IntN(4) > 0 {
			err = w.put(id, name)
			names[id] = name
		} else {
			err = w.remove(id)
			delete(names, id)
		}
		if err != nil {
			return fmt.Errorf("writer of company %d: %w", w.company, err)
		}
		if err := w.put(fmt.Sprintf("shared-%d", rand.IntN(10)), fmt.Sprint(w.company, " shared ", n)); err != nil {
			return fmt.Errorf("writer of company %d: %w", w.company, err)
		}
		for _, s := range w.seen {
			if err := l.wantOne(ctx, s, w.company, id, names[id]); err != nil {
				return err
			}
		}
	}
	return nil
}

// wantOne returns an error unless a session is found under its name, once; or not at
// all, without a name.
func (l *live) wantOne(ctx context.Context, s *Store, company int, id, name string) error {
	q := search.Query{Filter: search.Filter{SessionID: id}, Fields: session.AllFields(), Limit: 5}
	result, err := s.Search(ctx, l.scopes[company], q)
	if err != nil {
		return fmt.Errorf("schema %d: search of %s: %w", s.steps.Newest().Schema, id, err)
	}
	want := int64(1)
	if name == "" {
		want = 0
	}
	if result.Count.Total != want || name != "" && !bytes.Contains(result.Page.Rows[0].JSON, []byte(strconv.Quote(name))) {
		return fmt.Errorf("schema %d: %d sessions %s, want %d, named %q", s.steps.Newest().Schema, result.Count.Total, id, want, name)
	}
	return nil
}

// read reads what nobody writes: each answer must be complete.
func (l *live) read(ctx context.Context, s *Store) error {
	for l.stop.Err() == nil {
		q := search.Query{Sort: search.DefaultSort(), Fields: session.AllFields(), Limit: 20, Offset: rand.IntN(l.sessions - 20)}
		result, err := s.Search(ctx, l.scopes[stillCompany], q)
		if err != nil {
			return fmt.Errorf("schema %d: %w", s.steps.Newest().Schema, err)
		}
		if result.Count.Total != int64(l.sessions) || len(result.Page.Rows) != q.Limit {
			return fmt.Errorf("schema %d: %d of %d sessions, page of %d", s.steps.Newest().Schema, result.Count.Total, l.sessions, len(result.Page.Rows))
		}
	}
	return nil
}

// importer writes through a Store of a version. The old version is refused while the
// old index is blocked for the switch, and then its operator imports again.
func (l *live) importer(ctx context.Context, tb testing.TB, s *Store, company int, seen ...*Store) writer {
	tb.Helper()
	apply := func(change session.Change) error {
		for {
			_, err := s.Write(ctx, []session.Change{change})
			if s == l.old && errors.Is(err, errBlocked) {
				continue
			}
			return err
		}
	}
	return writer{
		company: company, seen: seen,
		put: func(id, name string) error {
			return apply(upserts(newSession(tb, id, companyToWrite(id, company), values{"name": name}))[0])
		},
		remove: func(id string) error { return apply(gone(id)) },
	}
}

func companyToWrite(id string, company int) int {
	if strings.HasPrefix(id, "shared-") {
		return sharedCompany
	}
	return company
}

// producer writes to the write alias by itself, and again when it gets status 403.
func (l *live) producer(ctx context.Context, company int) writer {
	send := func(method, id, body string) error {
		for {
			target := l.address + "/" + l.old.names(session.KindSession).write + "/_doc/" + id
			r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
			if err != nil {
				return err
			}
			r.Close = true
			r.Header.Set("Content-Type", "application/json")
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				return err
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			switch res.StatusCode {
			case http.StatusOK, http.StatusCreated, http.StatusNotFound:
				return nil
			case http.StatusForbidden:
				time.Sleep(50 * time.Millisecond)
			default:
				return fmt.Errorf("%s: status %d", method, res.StatusCode)
			}
		}
	}
	return writer{
		company: company,
		put: func(id, name string) error {
			return send(http.MethodPut, id, fmt.Sprintf(`{"id": %q, "companyId": %d, "name": %q}`, id, companyToWrite(id, company), name))
		},
		remove: func(id string) error { return send(http.MethodDelete, id, "") },
	}
}

func newLive(t *testing.T) (l *live, stop func()) {
	t.Helper()
	l = &live{old: openStore(t, 2), address: address(t), sessions: shortMigration, scopes: map[int]tenancy.Scope{}}
	l.next = openNext(t, l.old)
	l.next.limits.noticed = defaultLimits().noticed
	l.next.limits.retryFor = time.Minute // it may have to wait for a run after one that was killed
	if asked := os.Getenv(migrateVariable); asked != "" {
		var err error
		if l.sessions, err = strconv.Atoi(asked); err != nil {
			t.Fatalf("%s: %v", migrateVariable, err)
		}
	}
	for company := 1; company <= stillCompany; company++ {
		l.scopes[company] = tenancytest.Scope(t, tenancy.CompanyID(company))
	}
	importer := l.old.Importer()
	for from := 0; from < l.sessions; from += 2000 {
		var docs []session.Document
		for i := from; i < min(l.sessions, from+2000); i++ {
			docs = append(docs, newSession(t, fmt.Sprintf("still-%07d", i), stillCompany, values{
				"createdAt": fmt.Sprintf("2024-%02d-%02dT10:00:00.000Z", 1+i%12, 1+i%28), "name": fmt.Sprint("Person ", i), "botName": fmt.Sprint("bot ", i%50),
			}))
		}
		write(t, importer, docs...)
	}
	if err := importer.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.stop, stop = context.WithCancel(t.Context())
	return l, stop
}

// Old and new programs search, an old and a new importer and another producer write,
// while the migration is killed, undone and run again. No search fails or gives a
// wrong number, and in the end every session is there once, as it was written last.
func TestEverybodyGoesOnWhileSessionsAreMigrated(t *testing.T) {
	l, stop := newLive(t)
	defer stop()
	group, ctx := errgroup.WithContext(t.Context())
	writers := []writer{
		l.importer(ctx, t, l.next, 1, l.old, l.next), l.importer(ctx, t, l.old, 2, l.old), l.producer(ctx, 3),
	}
	for _, w := range writers {
		group.Go(func() error { defer stop(); return l.write(ctx, w) })
	}
	for _, s := range []*Store{l.old, l.next} {
		group.Go(func() error { defer stop(); return l.read(ctx, s) })
	}
	const mostKills = 10
	kills := 0
	for ; kills < mostKills && migrateUntil(t, l.old, 1+rand.IntN(60), func(s *Store) error {
		s.limits.copyRows = max(50, l.sessions/100)
		_, err := s.Migrate(t.Context(), MigrateOptions{})
		return err
	}); kills++ {
		if kills != mostKills/2 {
			continue
		}
		if _, err := l.next.AbortMigration(t.Context()); err != nil && !errors.Is(err, ErrNoMigration) && !errors.Is(err, ErrSwitched) {
			t.Fatal(err)
		}
	}
	began, copying := time.Now(), int64(-1)
	done := mustMigrate(t, l.next, MigrateOptions{Progress: func(p MigrationProgress) {
		if copying < 0 {
			copying = p.Of - p.Done
		}
	}})
	t.Logf("killed %d times; then %d of %d sessions were left, and took %v", kills, copying, done.Sessions, time.Since(began).Round(time.Millisecond))

	follow, enough := context.WithCancel(t.Context())
	defer enough()
	followed := make(chan error, 1)
	go func() {
		_, err := l.next.Migrate(follow, MigrateOptions{Follow: true})
		followed <- err
	}()
	time.Sleep(2 * time.Second) // both versions are at work after the switch
	stop()
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	refreshPlain(t, l.old)
	await(t, "the last writes of others are copied", func() error {
		if status, err := l.next.migrationStatus(t.Context()); err != nil || status.Done != status.Of {
			return fmt.Errorf("%+v, error %w", status, errors.Join(err, errUnequal))
		}
		return nil
	})
	enough()
	if err := <-followed; err != nil {
		t.Error(err)
	}
	l.wantExpected(t, l.old)
	if _, err := l.next.DropOld(t.Context(), MigrateOptions{}); err != nil {
		t.Fatal(err)
	}
	l.wantExpected(t, l.next)
}

func (l *live) wantExpected(t *testing.T, s *Store) {
	t.Helper()
	s.fits.known.Store(nil)
	for company := 1; company < sharedCompany; company++ {
		got := map[string]string{}
		for _, row := range exported(t, s, whole(), tenancy.CompanyID(company)) {
			item := itemOf(t, row)
			got[fmt.Sprint(item["id"])] = fmt.Sprint(item["name"])
		}
		if diff := cmp.Diff(l.expected[company], got); diff != "" {
			t.Errorf("schema %d, company %d (-written +found):\n%s", s.steps.Newest().Schema, company, diff)
		}
	}
	result, err := s.Search(t.Context(), l.scopes[stillCompany], everything())
	if err != nil || result.Count.Total != int64(l.sessions) {
		t.Errorf("schema %d: %d sessions, want %d; error %v", s.steps.Newest().Schema, result.Count.Total, l.sessions, err)
	}
}
