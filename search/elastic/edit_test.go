package elastic

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// steps returns the same steps of an edit for every directory.
func steps(changes ...session.Change) func(tenancy.Records) ([][]session.Change, error) {
	return func(tenancy.Records) ([][]session.Change, error) { return [][]session.Change{changes}, nil }
}

// another opens a Store on the same indices, as another process would.
func another(t *testing.T, s *Store) *Store {
	t.Helper()
	return openWith(t, Options{Addresses: s.options.Addresses, Index: s.options.Index, Shards: 1})
}

func wantCompanies(t *testing.T, s *Store, want ...tenancy.Company) {
	t.Helper()
	if diff := gocmp.Diff(want, loaded(t, s).Companies); diff != "" {
		t.Errorf("companies (-want +got):\n%s", diff)
	}
}

func TestAnEditWritesWhatItMakesOfTheDirectory(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	change(t, s, company(1, 0, "Root"), company(2, 1, "Branch"), company(3, 1, "Gone"), grant("a", 2))
	written, err := s.EditDirectory(t.Context(), func(r tenancy.Records) ([][]session.Change, error) {
		if len(r.Companies) != 3 || len(r.Grants) != 1 {
			t.Errorf("the edit is made of %+v", r)
		}
		return [][]session.Change{
			{company(2, 0, "Branch"), deleted(company(3, 0, "")), deleted(grant("a", 2)), deleted(grant("b", 2))},
			nil,
			{company(2, 4, "Moved twice"), company(4, 1, "New")},
			{grant("a", 4)},
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(session.Written{Upserted: 4, Deleted: 2, Missing: 1}, written); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	wantCompanies(t, s, company(1, 0, "Root").Company, company(2, 4, "Moved twice").Company, company(4, 1, "New").Company)
	if diff := gocmp.Diff([]tenancy.Grant{grant("a", 4).Grant}, loaded(t, s).Grants); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
}

func TestARefusedEditWritesNothingAndLeavesNoLock(t *testing.T) {
	t.Parallel()
	s, refusal := openStore(t, 1), errors.New("no")
	for range 2 {
		_, err := s.EditDirectory(t.Context(), func(tenancy.Records) ([][]session.Change, error) {
			return [][]session.Change{{company(1, 0, "Root")}}, refusal
		})
		if !errors.Is(err, refusal) {
			t.Fatalf("error %v", err)
		}
	}
	wantCompanies(t, s)
	if held, err := s.readLock(t.Context()); err != nil || held != (lockDocument{}) {
		t.Errorf("the lock is %+v, %v", held, err)
	}
}

func TestEditsFollowOneAnother(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	change(t, s, company(1, 0, "0"))
	const editors, edits = 4, 3
	var inside, most int
	var mu sync.Mutex
	count := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		inside += by
		most = max(most, inside)
	}
	var group sync.WaitGroup
	for range editors {
		by := another(t, s)
		group.Go(func() {
			for range edits {
				_, err := by.EditDirectory(t.Context(), func(r tenancy.Records) ([][]session.Change, error) {
					count(1)
					defer count(-1)
					return [][]session.Change{{company(1, 0, r.Companies[0].Name+"+")}}, nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	wantCompanies(t, s, company(1, 0, "0"+strings.Repeat("+", editors*edits)).Company)
	if most != 1 {
		t.Errorf("%d edits at a time", most)
	}
}

func TestAnEditNeverReplacesWhatItHasNotRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		meanwhile []session.Change
		edit      []session.Change
		times     int // how often it happens
		want      error
		calls     int
	}{
		"another version, once":            {[]session.Change{company(1, 3, "Theirs")}, []session.Change{company(1, 2, "Ours")}, 1, nil, 2},
		"made meanwhile":                   {[]session.Change{company(7, 3, "Theirs")}, []session.Change{company(7, 2, "Ours")}, 1, nil, 2},
		"gone meanwhile":                   {[]session.Change{deleted(company(1, 0, ""))}, []session.Change{company(1, 2, "Ours")}, 1, nil, 2},
		"another version of what is to go": {[]session.Change{company(1, 3, "Theirs")}, []session.Change{deleted(company(1, 0, ""))}, 1, nil, 2},
		"without an end": {
			[]session.Change{company(1, 3, "Theirs")}, []session.Change{company(1, 2, "Ours")},
			2 * editAttempts, search.ErrConflict, editAttempts,
		},
		"when a part is written": {
			[]session.Change{company(1, 3, "Theirs")},
			[]session.Change{company(2, 0, "Ours"), company(1, 2, "Ours")}, 1, errHalfway, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, 1)
			change(t, s, company(1, 0, "Root"), company(2, 1, "Branch"), company(3, 1, "Branch"))
			calls, theirs := 0, another(t, s)
			_, err := s.EditDirectory(t.Context(), func(tenancy.Records) ([][]session.Change, error) {
				if calls++; calls <= tt.times {
					change(t, theirs, tt.meanwhile...)
				}
				return [][]session.Change{tt.edit}, nil
			})
			if !errors.Is(err, tt.want) || calls != tt.calls {
				t.Errorf("error %v after %d calls, want %v after %d", err, calls, tt.want, tt.calls)
			}
			if errors.Is(err, errHalfway) && errors.Is(err, search.ErrConflict) {
				t.Error("what is done in part is said not to be done")
			}
			for _, c := range loaded(t, s).Companies {
				if tt.want != nil && c.ID == 1 && c.Name != "Theirs" {
					t.Errorf("company 1 is %+v", c)
				}
			}
		})
	}
}

// killed leaves the lock as a killed holder would.
func killed(t *testing.T, s *Store) *lock {
	t.Helper()
	l, err := s.lockDirectory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTheLockOfAKilledEditIsFreeAfterItsLease(t *testing.T) {
	s := openStore(t, 1)
	killed(t, another(t, s))
	s.limits.lockLease = 3 * time.Second
	if _, err := s.EditDirectory(t.Context(), steps(company(1, 0, "Root"))); err != nil {
		t.Fatal(err)
	}
	wantCompanies(t, s, company(1, 0, "Root").Company)
}

func TestALockThatOthersHoldIsAConflict(t *testing.T) {
	s := openStore(t, 1)
	killed(t, another(t, s))
	s.limits.lockWait = 50 * time.Millisecond
	if _, err := s.EditDirectory(t.Context(), steps(company(1, 0, "Root"))); !errors.Is(err, search.ErrConflict) {
		t.Errorf("error %v, want %v", err, search.ErrConflict)
	}
	wantCompanies(t, s)
}

func TestAWaitForTheLockEndsWithItsContext(t *testing.T) {
	s := openStore(t, 1)
	killed(t, another(t, s))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.EditDirectory(ctx, steps()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestALockIsRenewedWhileItsHolderWorks(t *testing.T) {
	s := openStore(t, 1)
	s.limits.lockLease = 2 * time.Second
	theirs := another(t, s)
	_, err := s.EditDirectory(t.Context(), func(tenancy.Records) ([][]session.Change, error) {
		first, err := theirs.readLock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if now, err := theirs.readLock(t.Context()); err == nil && now != first {
				if now.Source != first.Source {
					t.Errorf("the lock of %+v is that of %+v", first, now)
				}
				return nil, nil
			}
		}
		t.Error("the lock was never renewed")
		return nil, nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAnEditWhoseLockIsTakenIsNeverDone(t *testing.T) {
	for name, lease := range map[string]time.Duration{"noticed on the way": 500 * time.Millisecond, "noticed at the end": time.Hour} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, 1)
			s.limits.lockLease = lease
			theirs := another(t, s)
			_, err := s.EditDirectory(t.Context(), func(tenancy.Records) ([][]session.Change, error) {
				await(t, "the lock is taken away", func() error { // its holder may renew it meanwhile
					held, err := theirs.readLock(t.Context())
					if err == nil {
						err = theirs.deleteLock(t.Context(), held.revision)
					}
					return err
				})
				killed(t, theirs)
				return steps(company(1, 0, "Root"))(tenancy.Records{})
			})
			if !errors.Is(err, errLockLost) || errors.Is(err, search.ErrConflict) {
				t.Errorf("error %v, want %v", err, errLockLost)
			}
			if held, err := s.readLock(t.Context()); err != nil || held.Source.Holder == "" {
				t.Errorf("the lock of somebody else was given back: %+v, %v", held, err)
			}
		})
	}
}

// deaf drops the answers to writes of the lock.
type deaf struct {
	http.RoundTripper
	times int
}

func (d *deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := d.RoundTripper.RoundTrip(r)
	if err == nil && r.Method == http.MethodPut && strings.Contains(r.URL.RawQuery, "if_seq_no") && d.times > 0 {
		d.times--
		_ = res.Body.Close()
		return nil, errors.New("cut off")
	}
	return res, err
}

func TestARenewalWithoutAnAnswerLosesNoLock(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	reader, err := Open(t.Context(), Options{Addresses: s.options.Addresses, Index: s.options.Index, Transport: &deaf{s.client.own, 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	l := killed(t, reader)
	if err := l.replace(t.Context(), l.renew); err == nil {
		t.Fatal("the answer was not lost")
	}
	if err := l.replace(t.Context(), l.renew); err != nil {
		t.Errorf("renew again: %v", err)
	}
	if err := l.replace(t.Context(), reader.deleteLock); err != nil {
		t.Errorf("give back: %v", err)
	}
}

func TestTheLockIsNoPartOfTheDirectory(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	change(t, s, company(1, 0, "Root"))
	before := version(t, s)
	l := killed(t, s)
	if after := version(t, s); after != before {
		t.Error("the lock changes the version of the directory")
	}
	wantCompanies(t, s, company(1, 0, "Root").Company)
	if err := l.replace(t.Context(), s.deleteLock); err != nil {
		t.Error(err)
	}
}

func TestAnEditWithoutIndicesMakesNone(t *testing.T) {
	t.Parallel()
	s := openBare(t, 1)
	if _, err := s.EditDirectory(t.Context(), steps(company(1, 0, "Root"))); !errors.Is(err, ErrNoIndex) {
		t.Errorf("error %v, want %v", err, ErrNoIndex)
	}
	if _, err := s.readLock(t.Context()); err == nil {
		t.Error("the lock's index was made")
	}
}
