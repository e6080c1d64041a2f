package sqlite

import (
	"errors"
	"fmt"
	"testing"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestTheNewestOfTooManyClientsAreRefused(t *testing.T) {
	s := openStore(t)
	for i := range 30 {
		write(t, s, newSession(t, fmt.Sprintf("s%02d", i), 1, values{"clientId": fmt.Sprintf("c%d", i%10)}))
	}
	scope := tenancytest.Scope(t, 1)
	q := search.Query{NewestOfClient: true, Sort: search.DefaultSort(), Limit: 5}
	for _, tt := range []struct {
		clients  int
		sessions int64
		want     error
	}{
		{10, 30, nil},
		{9, 30, search.ErrTooManyClients},
		{10, 29, search.ErrTooManyClients},
	} {
		s.limits.mostClients, s.limits.mostOfClients = tt.clients, tt.sessions
		result, err := s.Search(t.Context(), scope, q)
		if !errors.Is(err, tt.want) || err == nil && (result.Count.Total != 10 || len(result.Page.Rows) != 5) {
			t.Errorf("10 clients with 30 sessions, at most %d and %d: %v, %d of %d", tt.clients, tt.sessions, err, len(result.Page.Rows), result.Count.Total)
		}
		if _, err := s.Search(t.Context(), scope, q.CountOnly()); !errors.Is(err, tt.want) {
			t.Errorf("the count: %v", err)
		}
		snapshot, err := s.Snapshot(t.Context(), scope, q)
		if !errors.Is(err, tt.want) {
			t.Errorf("a snapshot: %v", err)
		}
		if err == nil {
			_ = snapshot.Close()
		}
	}
}
