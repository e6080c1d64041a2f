package sqlite

import (
	"errors"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestAPageThatHasMoreBytesThanItMayIsRefused(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), MaxPageBytes: 200_000})
	s.limits.deepOffset, s.limits.anchorEvery = 5, 2
	for n := range 30 {
		given := values{"lastOperatorMessage": strings.Repeat("x", 10_000)}
		if n%2 == 0 {
			given["startedAt"] = "2024-05-01T10:00:00Z"
		}
		write(t, s, newSession(t, numbered(n), 1, given))
	}
	scope := tenancytest.Scope(t, 1)
	idOnly, _, _ := session.FieldByName("id")
	for name, sort := range map[string][]search.SortKey{
		"newest first": search.DefaultSort(), "by id": {{Field: "id"}}, "an order without an index": search.NormalizeSort([]search.SortKey{{Field: "clientId"}}),
	} {
		for _, c := range []struct {
			what          string
			limit, offset int
			fields        session.FieldSet
			want          error
		}{
			{"few rows", 15, 0, session.AllFields(), nil},
			{"few rows, and one more that would be too much", 16, 0, session.AllFields(), nil},
			{"many rows", 25, 0, session.AllFields(), search.ErrPageTooLarge},
			{"many rows of few fields", 30, 0, session.FieldSet{}.With(idOnly), nil},
			{"few rows far down", 10, 15, session.AllFields(), nil},
			{"many rows far down", 25, 5, session.AllFields(), search.ErrPageTooLarge},
		} {
			q := search.Query{Sort: sort, Limit: c.limit, Offset: c.offset, Fields: c.fields}
			got, err := s.Search(t.Context(), scope, q)
			if !errors.Is(err, c.want) || c.want == nil && len(got.Page.Rows) != min(c.limit, 30-c.offset) {
				t.Errorf("%s, %s: %d rows, error %v, want %v", name, c.what, len(got.Page.Rows), err, c.want)
			}
			if err != nil && (len(got.Page.Rows) > 0 || got.Count.Total > 0) {
				t.Errorf("%s, %s: an answer beside the error", name, c.what)
			}
		}
	}
	if got, err := s.Search(t.Context(), scope, search.Query{WithoutItems: true}); err != nil || got.Count.Total != 30 {
		t.Errorf("the count: %d, error %v", got.Count.Total, err)
	}
}
