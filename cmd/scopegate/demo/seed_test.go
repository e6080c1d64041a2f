package demo

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/search/sqlite"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openStore(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// recorder keeps what is written on its way to the store, and fails when told.
type recorder struct {
	Store
	sessions  map[string]string
	failAfter int // sessions; 0: never
}

var errPowerCut = errors.New("power cut")

func record(store Store) *recorder {
	return &recorder{Store: store, sessions: make(map[string]string)}
}

func (r *recorder) Write(ctx context.Context, changes []session.Change) (session.Written, error) {
	if r.failAfter > 0 && len(r.sessions) >= r.failAfter {
		return session.Written{}, errPowerCut
	}
	for _, change := range changes {
		if change.Kind == session.KindSession {
			r.sessions[change.Session.ID()] = string(change.Session.JSON())
		}
	}
	return r.Store.Write(ctx, changes)
}

func TestAFolderIsSeededOnceAndStaysAsItIs(t *testing.T) {
	store := record(openStore(t, t.TempDir()))
	first, err := Seed(t.Context(), store, SeedOptions{Sessions: 250, Batch: 100, Seed: DefaultSeed, Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	if first.Written != 250 || len(store.sessions) != 250 {
		t.Errorf("wrote %d, stored %d, want 250", first.Written, len(store.sessions))
	}
	clear(store.sessions)
	again, err := Seed(t.Context(), store, SeedOptions{Sessions: 9000, Seed: 1, Now: testNow.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Seeded{Sessions: 250, Now: testNow}, again); diff != "" {
		t.Errorf("second start (-want +got):\n%s", diff)
	}
	if len(store.sessions) != 0 {
		t.Errorf("the second start wrote %d sessions", len(store.sessions))
	}
}

func TestTheDirectoryInTheStoreIsTheTreeAndItsGrants(t *testing.T) {
	store := openStore(t, t.TempDir())
	if _, err := Seed(t.Context(), store, SeedOptions{Sessions: 10, Seed: DefaultSeed, Now: testNow}); err != nil {
		t.Fatal(err)
	}
	records, err := store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	levels := map[tenancy.CompanyID]int{0: -1}
	perLevel := make([]int, levelCount)
	for _, c := range layOut() {
		levels[c.ID] = levels[c.ParentID] + 1
		perLevel[levels[c.ID]]++
	}
	if diff := cmp.Diff([]int{1, 5, 28, 166}, perLevel); diff != "" {
		t.Errorf("companies by level (-want +got):\n%s", diff)
	}
	if len(records.Companies) != companyCount {
		t.Errorf("%d companies, want %d", len(records.Companies), companyCount)
	}
	granted := Accounts()[grantedAccount]
	want := []tenancy.Grant{{
		Account: tenancy.Account{Issuer: Issuer, Subject: granted.Subject}, CompanyID: granted.Granted[0],
	}}
	if diff := cmp.Diff(want, records.Grants); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
}

func TestAnInterruptedSeedingEndsAsIfItHadNotBeen(t *testing.T) {
	whole := record(openStore(t, t.TempDir()))
	if _, err := Seed(t.Context(), whole, SeedOptions{Sessions: 410, Batch: 100, Seed: DefaultSeed, Now: testNow}); err != nil {
		t.Fatal(err)
	}
	broken := record(openStore(t, t.TempDir()))
	broken.failAfter = 200
	_, err := Seed(t.Context(), broken, SeedOptions{Sessions: 410, Batch: 100, Seed: DefaultSeed, Now: testNow})
	if !errors.Is(err, errPowerCut) {
		t.Fatalf("got %v, want %v", err, errPowerCut)
	}
	broken.failAfter = 0
	result, err := Seed(t.Context(), broken, SeedOptions{Sessions: 50, Batch: 100, Seed: 1, Now: testNow.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if !result.Resumed || result.Sessions != 410 || result.Written != 210 {
		t.Errorf("resumed as %+v, want 210 of 410 written", result)
	}
	if diff := cmp.Diff(whole.sessions, broken.sessions); diff != "" {
		t.Errorf("the resumed folder differs:\n%s", diff)
	}
}

func TestSeedingStopsWhenItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Seed(ctx, openStore(t, t.TempDir()), SeedOptions{
		Sessions: 1 << 40, Batch: 100, Seed: DefaultSeed, Now: testNow, Progress: func(int, int) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestAFolderWithOtherDataIsLeftAlone(t *testing.T) {
	store := openStore(t, t.TempDir())
	company := tenancy.Company{ID: 7, Name: "Somebody's own"}
	if _, err := store.Write(t.Context(), []session.Change{{Kind: session.KindCompany, Company: company}}); err != nil {
		t.Fatal(err)
	}
	watched := record(store)
	_, err := Seed(t.Context(), watched, SeedOptions{Sessions: 10, Seed: DefaultSeed, Now: testNow})
	if !errors.Is(err, ErrForeignFolder) {
		t.Errorf("got %v, want %v", err, ErrForeignFolder)
	}
	records, err := store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]tenancy.Company{company}, records.Companies); diff != "" {
		t.Errorf("companies (-want +got):\n%s", diff)
	}
}
