package elastic

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// Reading an axis page by page, with pages of any size, gives the same result as
// all terms at once.
func TestAnAxisIsTheSameHoweverManyTermsComeAtATime(t *testing.T) {
	t.Parallel()
	const companies = 400
	s := openSessions(t, conformanceShards)
	docs := make([]session.Document, 0, 4*companies)
	scope := make([]tenancy.CompanyID, companies)
	for i := range cap(docs) {
		company := 1 + i*i%companies
		docs = append(docs, newSession(t, fmt.Sprintf("s-%04d", i), company, values{"status": fmt.Sprint("status ", i%151)}))
		scope[i%companies] = tenancy.CompanyID(1 + i%companies)
	}
	write(t, s, docs...)
	var want search.Summary
	for _, terms := range []int{10_000, companies, companies - 1, 150, 7} {
		s.limits.terms = terms
		got, err := search.GuardSummaries(s).Summarize(t.Context(), tenancytest.Scope(t, scope...), search.SummaryQuery{})
		if err != nil {
			t.Fatalf("%d terms at a time: %v", terms, err)
		}
		got.Provenance = search.Provenance{}
		if want.Count == 0 {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" || got.Count != int64(len(docs)) {
			t.Errorf("%d terms at a time (-all at once +got):\n%s", terms, diff)
		}
	}
}
