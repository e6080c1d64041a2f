package elastic

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// However many clients and candidates come at a time, the same sessions are kept.
// Too many clients, or sessions, are refused.
func TestTheNewestOfClientsAreTheSameHoweverManyComeAtATime(t *testing.T) {
	t.Parallel()
	s := openSessions(t, conformanceShards)
	var docs []session.Document
	for i := range 200 {
		docs = append(docs, newSession(t, fmt.Sprintf("s%03d", i*73%200), 1+i%2, values{
			"clientId": fmt.Sprintf("c%d", i%45), "startedAt": fmt.Sprintf("2024-01-01T00:00:%02d.000Z", i%3),
		}))
	}
	write(t, s, docs...)
	scope := tenancytest.Scope(t, 1, 2)
	q := search.Query{NewestOfClient: true, Sort: search.DefaultSort(), Limit: search.MaxLimit, Fields: session.AllFields()}
	var want search.Result
	for _, atOnce := range []int{10_000, 90, 89, 7} {
		s.limits.clientsAtOnce, s.limits.window = atOnce, max(atOnce, 20)
		got, err := s.Search(t.Context(), scope, q)
		if err != nil {
			t.Fatalf("%d at a time: %v", atOnce, err)
		}
		got.Count.Provenance, got.Page.Provenance = search.Provenance{}, search.Provenance{}
		if want.Count.Total == 0 {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" || got.Count.Total != 90 {
			t.Errorf("%d at a time: %d sessions (-all at once +got):\n%s", atOnce, got.Count.Total, diff)
		}
	}
	for _, most := range [][2]int{{89, 200}, {90, 199}} {
		s.limits.mostClients, s.limits.mostOfClients = most[0], most[1]
		if _, err := s.Search(t.Context(), scope, q); !errors.Is(err, search.ErrTooManyClients) {
			t.Errorf("at most %v: %v", most, err)
		}
		if _, err := s.Search(t.Context(), scope, q.CountOnly()); !errors.Is(err, search.ErrTooManyClients) {
			t.Errorf("the count, at most %v: %v", most, err)
		}
		if _, err := s.Snapshot(t.Context(), scope, q); !errors.Is(err, search.ErrTooManyClients) {
			t.Errorf("a snapshot, at most %v: %v", most, err)
		}
	}
}
