package sqlite

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

var benchSessions = flag.Int("sqlite.sessions", 200_000, "sessions that the benchmarks search")

const (
	benchCompanies = 2000
	benchBatch     = 2000
)

// generated returns the n-th session of the benchmarks: about 3 KB in wire form;
// one in two thousand has a rare name.
func generated(tb testing.TB, r *rand.Rand, n int) session.Document {
	tb.Helper()
	first := []string{"Иван", "Мария", "Anna", "José", "Пётр", "Olga", "Chen", "Amélie"}
	last := []string{"Смирнов", "Кузнецов", "Petrova", "García", "Wang", "Соболев", "Müller", "Novak"}
	name := first[r.IntN(len(first))] + " " + last[r.IntN(len(last))] + strconv.Itoa(r.IntN(500))
	if r.IntN(2000) == 0 {
		name = "Вениамин Редкий"
	}
	started := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(365*24*3600)) * time.Second)
	return newSession(tb, numbered(n), 1+r.IntN(benchCompanies), values{
		"name": name, "clientId": fmt.Sprintf("client-%d", r.IntN(1_000_000)),
		"whatsappPhone": fmt.Sprintf("79%09d", r.IntN(1_000_000_000)), "chatId": fmt.Sprint("chat-", n),
		"startedAt": started.Format(time.RFC3339), "createdAt": started.Format(time.RFC3339),
		"updatedAt":     started.Add(time.Hour).Format(time.RFC3339),
		"messengerType": session.MessengerTypes()[r.IntN(14)], "status": []string{"OPEN", "CLOSED"}[r.IntN(2)],
		"operatorId": strconv.Itoa(r.IntN(300)), "tags": fmt.Sprintf("vip%d, t%d", r.IntN(3), r.IntN(2000)),
		"clientMessageCount": r.IntN(20), "operatorMessageCount": r.IntN(20), "lastOperatorMessage": strings.Repeat("слово ", 40),
	})
}

func filled(b *testing.B) *Store {
	b.Helper()
	s := openStore(b)
	r := rand.New(rand.NewPCG(1, 2))
	began := time.Now()
	var writing time.Duration
	for done := 0; done < *benchSessions; done += benchBatch {
		docs := make([]session.Document, benchBatch)
		for i := range docs {
			docs[i] = generated(b, r, done+i)
		}
		start := time.Now()
		write(b, s, docs...)
		writing += time.Since(start)
	}
	b.Logf("%d sessions in %v, of which writing %v (%.0f/s)", *benchSessions, time.Since(began), writing,
		float64(*benchSessions)/writing.Seconds())
	start := time.Now()
	if err := s.Optimize(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Logf("optimized in %v", time.Since(start))
	return s
}

func benchScope(b *testing.B, n int) tenancy.Scope {
	b.Helper()
	list := make([]tenancy.CompanyID, n)
	for i := range list {
		list[i] = tenancy.CompanyID(1 + i)
	}
	return tenancytest.Scope(b, list...)
}

func BenchmarkSearch(b *testing.B) {
	s := filled(b)
	newest := search.DefaultSort()
	month := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	for name, f := range map[string]search.Filter{
		"no filter":     {},
		"rare name":     {Keyword: mustKeyword(b, "вениамин")},
		"common name":   {Keyword: mustKeyword(b, "смирнов")},
		"two letters":   {Keyword: mustKeyword(b, "ив")},
		"one letter":    {Keyword: mustKeyword(b, "о")},
		"phone digits":  {Keyword: mustKeyword(b, "912345")},
		"long phone":    {Keyword: mustKeyword(b, "9123456")},
		"nothing":       {Keyword: mustKeyword(b, "qqqq")},
		"many letters":  {Keyword: mustKeyword(b, "0 1 2 3 4 5 6 7 8 9 a b c d e f")},
		"many zeros":    {Keyword: mustKeyword(b, strings.Repeat("0", keyword.MaxLen))},
		"session id":    {SessionID: numbered(77)},
		"status":        {Status: []string{"OPEN"}},
		"operator":      {OperatorIDs: []string{"7"}},
		"rare operator": {OperatorIDs: []string{"nobody"}},
		"month":         {From: month, To: month.AddDate(0, 1, 0)},
		"month open":    {From: month, To: month.AddDate(0, 1, 0), Status: []string{"OPEN"}},
		"tag":           {Tags: []string{"t7"}},
	} {
		for _, size := range []int{1, 100, benchCompanies} {
			scope := benchScope(b, size)
			for kind, q := range map[string]search.Query{
				"page":  {Filter: f, Sort: newest, Limit: 10, Fields: session.AllFields(), WithoutCount: true},
				"count": {Filter: f, WithoutItems: true},
			} {
				b.Run(fmt.Sprintf("%s/%s/%d companies", kind, name, size), func(b *testing.B) {
					var n int64
					for b.Loop() {
						result, err := s.Search(b.Context(), scope, q)
						if err != nil {
							b.Fatal(err)
						}
						n = result.Count.Total + int64(len(result.Page.Rows))
					}
					b.ReportMetric(float64(n), "found")
				})
			}
		}
	}
}

func BenchmarkSummarize(b *testing.B) {
	s := filled(b)
	for name, f := range map[string]search.Filter{"no filter": {}, "common name": {Keyword: mustKeyword(b, "смирнов")}} {
		for _, size := range []int{1, benchCompanies} {
			scope := benchScope(b, size)
			b.Run(fmt.Sprintf("%s/%d companies", name, size), func(b *testing.B) {
				var n int64
				for b.Loop() {
					summary, err := s.Summarize(b.Context(), scope, search.SummaryQuery{Filter: f})
					if err != nil {
						b.Fatal(err)
					}
					n = summary.Count
				}
				b.ReportMetric(float64(n), "found")
			})
		}
	}
}

// BenchmarkDeepPage reads a page far down an order, with and without anchors near
// it, and the first page for comparison.
func BenchmarkDeepPage(b *testing.B) {
	s := filled(b)
	scope := benchScope(b, benchCompanies)
	for name, at := range map[string]struct {
		offset int
		forget bool
	}{"first": {0, false}, "deep, cold": {*benchSessions / 2, true}, "deep, warm": {*benchSessions / 2, false}} {
		b.Run(name, func(b *testing.B) {
			for n := 0; b.Loop(); n++ {
				if at.forget {
					s.anchors = paging.NewAnchors(anchorBytes)
				}
				q := search.Query{Sort: search.DefaultSort(), Limit: 10, Fields: session.AllFields(), WithoutCount: true}
				q.Offset = at.offset + n%100*10*min(1, at.offset)
				if _, err := s.Search(b.Context(), scope, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSnapshot reads all rows, in an order that an index has and in one that
// no index has.
func BenchmarkSnapshot(b *testing.B) {
	s := filled(b)
	scope := benchScope(b, benchCompanies)
	for _, field := range []string{"id", "startedAt", "clientId"} {
		b.Run(field, func(b *testing.B) {
			rows := 0
			for b.Loop() {
				snapshot, err := s.Snapshot(b.Context(), scope, search.Query{
					Sort: search.NormalizeSort([]search.SortKey{{Field: field}}), Fields: session.AllFields()})
				if err != nil {
					b.Fatal(err)
				}
				for {
					batch, err := snapshot.Next(b.Context())
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					rows += len(batch)
				}
				if err := snapshot.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
