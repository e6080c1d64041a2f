package sqlite

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

const deepSessions = 600

func deepSession(tb testing.TB, n int) session.Document {
	tb.Helper()
	return newSession(tb, fmt.Sprintf("deep-%04d", n*7919%deepSessions), 1+n%3, values{
		"name": fmt.Sprint("name ", n%9), "startedAt": fmt.Sprintf("2024-03-01T%02d:%02d:00.000Z", n/60, n%60)})
}

func filledDeep(tb testing.TB) *Store {
	tb.Helper()
	s := openStore(tb)
	docs := make([]session.Document, deepSessions)
	for n := range docs {
		docs[n] = deepSession(tb, n)
	}
	write(tb, s, docs...)
	return s
}

// anchorBelow returns how many rows before the page's offset the nearest anchor is.
func anchorBelow(tb testing.TB, s *Store, scope tenancy.Scope, q search.Query) int {
	tb.Helper()
	anchor := paging.Anchor{}
	err := s.readers.use(tb.Context(), func(r *reader) error {
		set, err := r.bind(tb.Context(), scope, s.limits.inlineScope)
		if err != nil {
			return err
		}
		o, err := orderedPage(q)
		if err != nil {
			return err
		}
		d, err := s.newDeepPage(tb.Context(), r, set, scope, q, o)
		if err != nil {
			return err
		}
		anchor, _ = d.anchors.Below(d.key, q.Offset)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return q.Offset - anchor.Rows
}

// A deep page leaves anchors for its neighbours on both sides, in every order. They
// stay valid until something of the scope is written.
func TestTheNeighboursOfADeepPageStartAtAnAnchor(t *testing.T) {
	s := filledDeep(t)
	scope, others := tenancytest.Scope(t, 1, 2), tenancytest.Scope(t, 3)
	for name, keys := range map[string][]search.SortKey{
		"the default order": search.DefaultSort(), "by name": {{Field: "name"}, {Field: "id"}},
		"by what no index has": {{Field: "clientId"}, {Field: "id", Desc: true}},
	} {
		t.Run(name, func(t *testing.T) {
			q := search.Query{Sort: keys, Fields: session.AllFields(), Limit: 10}
			rightAt := func(offset int) {
				t.Helper()
				plain, whole := *s, q
				plain.limits.deepOffset = 1 << 40
				whole.Limit, whole.Offset = 1000, 0
				want, err := plain.Search(t.Context(), scope, whole)
				if err != nil {
					t.Fatal(err)
				}
				q.Offset = offset
				got, err := s.Search(t.Context(), scope, q)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(ids(t, want.Page)[offset:offset+10], ids(t, got.Page)); diff != "" {
					t.Errorf("offset %d (-want +got):\n%s", offset, diff)
				}
			}
			near := func(offset, most int) {
				t.Helper()
				q.Offset = offset
				if n := anchorBelow(t, s, scope, q); n > most {
					t.Errorf("offset %d: %d rows behind an anchor, want at most %d", offset, n, most)
				}
				rightAt(offset)
			}
			s.limits.deepOffset, s.limits.anchorEvery = 50, 20
			rightAt(300)
			near(310, 0)
			near(290, 10)
			near(282, 20)
			write(t, s, newSession(t, "elsewhere", 3, nil))
			near(300, 20)
			write(t, s, newSession(t, "deep-0000-a", 1, values{"startedAt": "2025-01-01T00:00:00.000Z", "name": "a"}))
			q.Offset = 300
			if n := anchorBelow(t, s, scope, q); n != 300 {
				t.Errorf("after writing an anchor is used %d rows before the page", n)
			}
			rightAt(300)
			near(310, 0)
			if _, err := s.Write(t.Context(), []session.Change{{Kind: session.KindSession, Delete: true, SessionID: "deep-0000-a"}}); err != nil {
				t.Fatal(err)
			}
			rightAt(310)
			if _, err := s.Search(t.Context(), others, q); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestTheStateOfAWideScopeIsThatOfItsCompanies(t *testing.T) {
	s := filledDeep(t)
	last := func(narrow int, companies ...tenancy.CompanyID) (n int64) {
		t.Helper()
		err := s.readers.use(t.Context(), func(r *reader) error {
			set, err := r.bind(t.Context(), tenancytest.Scope(t, companies...), 0)
			if err != nil {
				return err
			}
			n, err = r.lastInvalidation(t.Context(), set, narrow)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, step := range []func(){
		func() {},
		func() { write(t, s, newSession(t, "x", 3, nil)) },
		func() { write(t, s, newSession(t, "x", 4, nil)) }, // which leaves 3
		func() {
			if err := s.InvalidateAll(context.WithoutCancel(t.Context())); err != nil {
				t.Fatal(err)
			}
		},
	} {
		before := last(0, 3, 9)
		step()
		for _, companies := range [][]tenancy.CompanyID{{1}, {3, 9}, {8, 9}, {1, 2, 3, 4}} {
			if wide, narrow := last(0, companies...), last(100, companies...); wide != narrow {
				t.Errorf("companies %v: %d by the newest invalidations, %d by company", companies, wide, narrow)
			}
		}
		if after := last(0, 3, 9); after < before {
			t.Errorf("from %d back to %d", before, after)
		}
	}
}
