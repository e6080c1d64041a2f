package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	contract "github.com/scopegate/scopegate/api"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// sum adds up by company and date; all else is of one kind.
func (m *memorySearcher) sum(scope tenancy.Scope, q search.SummaryQuery) search.Summary {
	counts := map[tenancy.CompanyID]int64{}
	builder, n := search.NewHistogramBuilder(q), int64(0)
	var dates []int64
	for _, s := range m.sessions {
		if scope.Contains(s.company) {
			counts[s.company]++
			dates = append(dates, s.started)
			n++
		}
	}
	if n > 0 {
		_ = builder.SetRange(slices.Min(dates), slices.Max(dates)) // within an hour
	}
	for _, at := range dates {
		builder.Add(at, 1)
	}
	companies, messengers := search.TopCompanies(q), search.NewTopTexts(q, search.FacetMessengerTypes)
	operators, statuses := search.NewTopTexts(q, search.FacetOperatorTypes), search.NewTopTexts(q, search.FacetStatuses)
	for id, n := range counts {
		companies.Add(id, n)
	}
	messengers.AddMissing(n)
	operators.AddMissing(n)
	statuses.Add("OPEN", n)
	return search.Summary{
		Count: n, Histogram: builder.Histogram(), Companies: companies.Axis(), MessengerTypes: messengers.Axis(),
		OperatorTypes: operators.Axis(), Statuses: statuses.Axis(), Provenance: m.count,
	}
}

const summaryPath = "/api/v1/sessions/summary"

func TestASummaryIsInWireForm(t *testing.T) {
	s := newStage(t)
	r := s.get(t, summaryPath+"?companyIds=2,10&timezone=-60", s.supervisor(t))
	const want = `{"count":16,"histogram":{"dateField":"createdAt","interval":"hour","timezone":-60,` +
		`"buckets":[{"from":"2023-11-14T22:00:00.000Z","to":"2023-11-14T22:59:59.999Z","count":16}],"withoutDate":0},` +
		`"companies":{"top":[{"id":2,"name":"Harbour North \u0026 Söhne","count":8},{"id":10,"name":"Meadow","count":8}],"other":{"values":0,"count":0}},` +
		`"messengerTypes":{"top":[{"value":null,"count":16}],"other":{"values":0,"count":0}},` +
		`"operatorTypes":{"top":[{"value":"NONE","count":16}],"other":{"values":0,"count":0}},` +
		`"statuses":{"top":[{"value":"OPEN","count":16}],"other":{"values":0,"count":0}}}`
	if diff := cmp.Diff(want, string(r.body)); diff != "" || r.StatusCode != http.StatusOK {
		t.Errorf("status %d (-want +got):\n%s", r.StatusCode, diff)
	}
	description, err := openapi3.NewLoader().LoadFromData(contract.YAML())
	if err != nil {
		t.Fatal(err)
	}
	if err := description.Components.Schemas["Summary"].Value.VisitJSON(decoded(t, r.body)); err != nil {
		t.Errorf("not as the contract has it: %v", err)
	}
}

func decoded(t *testing.T, body []byte) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return value
}

func TestASummaryOfNothingHasEmptyLists(t *testing.T) {
	s := newStage(t)
	s.searcher.sessions = nil
	body := string(s.get(t, summaryPath+"?interval=week", s.agent(t)).body)
	if strings.Contains(body, "null") || !strings.Contains(body, `"interval":"week","timezone":0,"buckets":[]`) {
		t.Error(body)
	}
}

func TestASummaryByBodyIsTheOneByURL(t *testing.T) {
	s := newStage(t)
	byURL := s.get(t, summaryPath+"?companyIds=2,10&interval=day", s.supervisor(t))
	byBody := s.post(t, summaryPath, s.supervisor(t), `{"companyIds":[2,10],"interval":"day"}`)
	if byBody.StatusCode != http.StatusOK || !bytes.Equal(byURL.body, byBody.body) || byURL.Header.Get("ETag") != byBody.Header.Get("ETag") {
		t.Errorf("by URL: %s, by body: %d %s", byURL.body, byBody.StatusCode, byBody.body)
	}
}

func TestCacheStatusSaysHowASummaryWasAnswered(t *testing.T) {
	s := newStage(t)
	s.searcher.count = search.Provenance{Tier: "memory", TTL: 4900 * time.Millisecond, LoadedAt: time.Now().Add(-7 * time.Second)}
	r := s.get(t, summaryPath, s.supervisor(t))
	if got := r.Header.Get("Cache-Status"); got != "scopegate-summary; hit; ttl=4; detail=memory" {
		t.Errorf("Cache-Status = %q", got)
	}
	if age, timing := r.Header.Get("Age"), r.Header.Get("Server-Timing"); age != "7" || !strings.Contains(timing, "encode;dur=") {
		t.Errorf("Age = %q, Server-Timing = %q", age, timing)
	}
	again := s.get(t, summaryPath, s.supervisor(t), "If-None-Match", r.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified || len(again.body) > 0 {
		t.Errorf("with its ETag: %d %s", again.StatusCode, again.body)
	}
	if got := s.metricText(t); !strings.Contains(got, `"summary"`) {
		t.Error("no metric names the part")
	}
}

func TestASummaryRefusesWhatIsNoFilter(t *testing.T) {
	s := newStage(t)
	for _, query := range []string{
		"limit=10", "offset=0", "page=0", "sort=name", "fields=id", "cursor=AAAA", "format=JSON", "filename=a", "zip=false",
		"withoutCount=true", "withoutItems=false", "offsetField=name", "group=status", "groupByClientId=false",
		"facets=names", "facets=", "top=0", "top=1001", "top=few", "fill=1&fill=1", "histogram=no", "exceptOwn=2", "timezone=Local", "timezone=", "timezone=localtime",
		"timezone=Europe/Atlantis", "interval=minute", "interval=", "interval=day&interval=day", "timezone=841", "timezone=-841", "timezone=1.5", "Interval=day",
		"from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z", "companyId=2&companyIds=3",
	} {
		name, _, _ := strings.Cut(query[strings.LastIndex("&"+query, "&"):], "=")
		p := s.get(t, summaryPath+"?"+query, s.supervisor(t)).problem(t, http.StatusBadRequest)
		if strings.HasPrefix(query, "from=") {
			name = "from"
		}
		if len(p.Details) != 1 || p.Details[0].Parameter != name {
			t.Errorf("%s: %+v", query, p.Details)
		}
	}
	for target, body := range map[string]string{
		summaryPath + "?interval=day":  `{}`,
		summaryPath + "?cursor=AAAA":   `{}`,
		summaryPath:                    `{"limit": 10}`,
		summaryPath + "?":              `{"interval": null, "timezone": "0"}`,
		summaryPath + "?&&":            `{"interval": "day", "interval": "day"}`,
		summaryPath + "?showAllSuperv": `{}`,
	} {
		s.post(t, target, s.supervisor(t), body).problem(t, http.StatusBadRequest)
	}
}

func TestTooManyBucketsAreTheIntervalsFault(t *testing.T) {
	s := newStage(t)
	s.searcher.summarize = func(tenancy.Scope, search.SummaryQuery) (search.Summary, error) {
		return search.Summary{}, fmt.Errorf("engine text: %w", search.ErrTooManyBuckets)
	}
	p := s.get(t, summaryPath+"?interval=hour", s.supervisor(t)).problem(t, http.StatusBadRequest)
	if len(p.Details) != 1 || p.Details[0].Parameter != "interval" || !strings.Contains(p.Detail, "10000") || strings.Contains(p.Detail, "engine") {
		t.Errorf("%+v", p)
	}
}

func TestAllCompaniesThatAreTooManyAreTheFaultOfTop(t *testing.T) {
	s := newStage(t)
	s.searcher.summarize = func(tenancy.Scope, search.SummaryQuery) (search.Summary, error) {
		return search.Summary{}, fmt.Errorf("engine text: %w", search.ErrTooManyCompanies)
	}
	p := s.get(t, summaryPath+"?top=all", s.supervisor(t)).problem(t, http.StatusBadRequest)
	if len(p.Details) != 1 || p.Details[0].Parameter != "top" || !strings.Contains(p.Detail, "20000") || strings.Contains(p.Detail, "engine") {
		t.Errorf("%+v", p)
	}
}

func TestASummaryHasWhatWasAskedForAndNothingElse(t *testing.T) {
	s := newStage(t)
	for query, want := range map[string]string{
		"":                                     "companies count histogram messengerTypes operatorTypes statuses",
		"histogram=false":                      "companies count messengerTypes operatorTypes statuses",
		"facets=statuses&histogram=false":      "count statuses",
		"facets=statuses,companies,statuses":   "companies count histogram statuses",
		"facets=companies&facets=statuses":     "companies count histogram statuses",
		"exceptOwn=true&companyId=2&fill=true": "companies count histogram messengerTypes operatorTypes statuses",
	} {
		body, ok := decoded(t, s.get(t, summaryPath+"?"+query, s.supervisor(t)).body).(map[string]any)
		if got := strings.Join(slices.Sorted(maps.Keys(body)), " "); !ok || got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
}

// The selection is the companies' own filter. Without it they are counted over
// everything that the caller may see, and nothing else.
func TestExceptOwnCountsTheCompaniesOfTheWholeScope(t *testing.T) {
	s := newStage(t)
	for name, tt := range map[string]struct {
		query, token string
		companies    []float64
		count        float64
		status       string
	}{
		"a selection":             {"companyId=10&exceptOwn=true&top=all", s.supervisor(t), []float64{2, 3, 10}, 8, "scopegate-summary; fwd=miss, scopegate-companies; fwd=miss"},
		"a selection as its own":  {"companyId=10&exceptOwn=false", s.supervisor(t), []float64{10}, 8, "scopegate-summary; fwd=miss"},
		"everything selected":     {"showAllSupervised=true&exceptOwn=true", s.supervisor(t), []float64{2, 3, 10}, 24, "scopegate-summary; fwd=miss"},
		"companies not asked for": {"companyId=10&exceptOwn=true&facets=statuses", s.supervisor(t), nil, 8, "scopegate-summary; fwd=miss"},
		"no supervisor":           {"exceptOwn=true&top=all", s.agent(t), []float64{2}, 8, "scopegate-summary; fwd=miss"},
	} {
		r := s.get(t, summaryPath+"?"+tt.query, tt.token)
		body := decoded(t, r.body).(map[string]any)
		var companies []float64
		if axis, ok := body["companies"].(map[string]any); ok {
			for _, share := range axis["top"].([]any) {
				companies = append(companies, share.(map[string]any)["id"].(float64))
			}
		}
		if diff := cmp.Diff(tt.companies, companies); diff != "" || body["count"] != tt.count {
			t.Errorf("%s: count %v, companies (-want +got):\n%s", name, body["count"], diff)
		}
		if got := r.Header.Get("Cache-Status"); got != tt.status {
			t.Errorf("%s: Cache-Status %q", name, got)
		}
	}
}

func TestASummaryThatIsNotTheScopesIsWithheld(t *testing.T) {
	for name, tt := range map[string]struct {
		change     func(*search.Summary)
		code       string
		violations int64
	}{
		"a foreign company":   {func(s *search.Summary) { s.Companies.Top[0].Value = foreignCompany }, "row_outside_scope", 1},
		"a count of its own":  {func(s *search.Summary) { s.Count++ }, "summary_inexact", 0},
		"too many companies":  {func(s *search.Summary) { s.Companies.Rest.Values = 4 }, "row_outside_scope", 1},
		"a session forgotten": {func(s *search.Summary) { s.Statuses.Top[0].Count-- }, "summary_inexact", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.searcher.summarize = func(scope tenancy.Scope, q search.SummaryQuery) (search.Summary, error) {
				summary := s.searcher.sum(scope, q)
				tt.change(&summary)
				return summary, nil
			}
			r := s.get(t, summaryPath, s.supervisor(t))
			r.problem(t, http.StatusInternalServerError)
			if bytes.Contains(r.body, []byte("Quarry")) || !strings.Contains(s.logs.String(), tt.code) {
				t.Errorf("body %s, logs %s", r.body, s.logs)
			}
			if got := counterOf(t, s.metrics, "scopegate.scope.violations"); got != tt.violations {
				t.Errorf("%d violations counted", got)
			}
		})
	}
}

func TestASessionMayBeNamedAsTheSummaryIs(t *testing.T) {
	s := newStage(t)
	s.searcher.sessions[0].id = "summary"
	if r := s.get(t, "/api/v1/sessions/%73ummary", s.supervisor(t)); string(r.body) != `{"id":"summary"}` {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}
