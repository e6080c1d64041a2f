package elastic

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// BenchmarkPage measures the engine's work for a page of ten sessions without the
// wait for Elasticsearch.
func BenchmarkPage(b *testing.B) {
	var hits []string
	for n := range 11 {
		id := fmt.Sprintf("id%04d", n)
		doc := newSession(b, id, 7, values{"lastOperatorMessage": strings.Repeat("x", 1500)}).JSON()
		hits = append(hits, fmt.Sprintf(`{"_index":"x","_id":%q,"_score":null,"_source":%s,"fields":{"companyId":[7]},"sort":[1700000000000,%q]}`, id, doc, id))
	}
	answer := `{"took":1,"timed_out":false,"_shards":{"total":3,"failed":0},"hits":{"total":{"value":1234,"relation":"eq"},"max_score":null,"hits":[` + strings.Join(hits, ",") + `]}}`
	s, _ := openFake(b, always(http.StatusOK, answer))
	scope := tenancytest.Scope(b, 7)
	q := search.Query{Fields: session.AllFields(), Limit: 10}
	b.ReportAllocs()
	for b.Loop() {
		r, err := s.Search(b.Context(), scope, q)
		if err != nil || len(r.Page.Rows) != 10 {
			b.Fatal(err)
		}
	}
}
