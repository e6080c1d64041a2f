package elastic

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

const noHits = `{"took":1,"_shards":{"total":3},"hits":{"total":{"value":0,"relation":"eq"},"hits":[]}}`

func TestTheScopeIsTheFirstClauseOfEverySearch(t *testing.T) {
	scope := tenancytest.Scope(t, 30, 9, 2147483647)
	yes := true
	for name, q := range map[string]search.Query{
		"page and count": everything(),
		"count alone":    {WithoutItems: true},
		"a filter":       {Filter: search.Filter{SessionID: "x", MarkedAsSpam: &yes, Keyword: mustKeyword(t, "anna 8 999")}, Limit: 1},
		"a position":     {Limit: 1, Sort: search.NormalizeSort(nil), After: &search.Position{Values: []json.RawMessage{[]byte(`"x"`)}}},
	} {
		t.Run(name, func(t *testing.T) {
			s, f := openFake(t, always(http.StatusOK, noHits))
			if _, err := s.Search(t.Context(), scope, q); err != nil {
				t.Fatal(err)
			}
			bodies := f.bodies["/scopegate-sessions/_search"]
			if len(bodies) != 1 || !strings.HasPrefix(bodies[0], `{"query":{"bool":{"filter":[{"terms":{"companyId":[9,30,2147483647]}}`) {
				t.Errorf("asked: %q", bodies)
			}
			if !json.Valid([]byte(bodies[0])) {
				t.Errorf("no JSON: %s", bodies[0])
			}
		})
	}
}

func TestAnEmptyScopeAsksNothing(t *testing.T) {
	s, f := openFake(t, always(http.StatusOK, noHits))
	result, err := s.Search(t.Context(), tenancy.Scope{}, everything())
	if err != nil || result.Count.Total != 0 || len(result.Page.Rows) != 0 || len(f.asked) != 0 {
		t.Errorf("result %+v, error %v, asked %v", result, err, f.asked)
	}
	defer func() {
		if recover() == nil {
			t.Error("a query without a scope is built")
		}
	}()
	_, _ = scoped(tenancy.Scope{}, nil)
}

func TestAScopeTooWideForOneListIsSeveral(t *testing.T) {
	scope := tenancytest.Scope(t, 1, 2, 3, 4, 5)
	for most, want := range map[int]string{
		5: `{"terms":{"companyId":[1,2,3,4,5]}}`,
		2: `{"bool":{"should":[{"terms":{"companyId":[1,2]}},{"terms":{"companyId":[3,4]}},{"terms":{"companyId":[5]}}]}}`,
	} {
		var b bytes.Buffer
		if writeScope(&b, scope, most); b.String() != want {
			t.Errorf("most %d: got %s, want %s", most, b.String(), want)
		}
	}
}

func TestAScopeOfAHundredThousandCompaniesAnswersRight(t *testing.T) {
	t.Parallel()
	s := openSessions(t, conformanceShards)
	const companies = 100_000
	var scoped []tenancy.CompanyID
	for i := range companies {
		scoped = append(scoped, tenancy.CompanyID(2*i+1)) // every other one
	}
	var docs []session.Document
	var want []string
	for i := range 400 {
		company := 1 + i*997%(2*companies)
		id := "s" + strconv.Itoa(1000+i)
		docs = append(docs, newSession(t, id, company, values{"name": "wide " + strconv.Itoa(i%3)}))
		if company%2 == 1 && i%3 == 1 {
			want = append(want, id)
		}
	}
	write(t, s, docs...)
	q := search.Query{
		Filter: search.Filter{Keyword: mustKeyword(t, "wide 1")}, Sort: search.NormalizeSort(nil),
		Fields: session.AllFields(), Limit: 1000,
	}
	result, err := s.Search(t.Context(), tenancytest.Scope(t, scoped...), q)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, ids(t, result.Page)); diff != "" || result.Count.Total != int64(len(want)) {
		t.Errorf("count %d, want %d; ids (-want +got):\n%s", result.Count.Total, len(want), diff)
	}
}

func TestPlainDocumentsOfOtherProducersAreFoundAndCompleted(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	foreignWrite(t, s, session.KindSession, "p1", `{ "companyId": 7, "id": "p1", "name": "Алёна", "tags": " vip ,x",
		"whatsappPhone": "+7 (999) ١٢٣-45-67", "createdAt": "2024-03-01T15:00:00+03:00", "clientMessageCount": 2 }`)
	if err := s.Importer().Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := newSession(t, "p1", 7, values{
		"name": "Алёна", "tags": " vip ,x", "whatsappPhone": "+7 (999) ١٢٣-45-67",
		"createdAt": "2024-03-01T12:00:00.000Z", "clientMessageCount": 2,
	})
	for name, f := range map[string]search.Filter{
		"by nothing": {}, "by word": {Keyword: mustKeyword(t, "АЛЕНА")}, "by two letters": {Keyword: mustKeyword(t, "лё")},
		"by phone": {Keyword: mustKeyword(t, "8 999 123 45 67")}, "by tag": {Tags: []string{"vip"}},
		"by date": {From: dateOf(want, "createdAt"), To: dateOf(want, "createdAt")},
	} {
		q := everything()
		q.Filter = f
		result, err := s.Search(t.Context(), tenancytest.Scope(t, 7), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(result.Page.Rows) != 1 || string(result.Page.Rows[0].JSON) != string(want.JSON()) {
			t.Errorf("%s: got %+v, want %s", name, result.Page.Rows, want.JSON())
		}
	}
}

func TestAnEngineSpanHasNoPersonalData(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	s := openSessions(t, conformanceShards)
	write(t, s, newSession(t, planted, 7, values{"name": planted}))
	ctx, root := provider.Tracer("test").Start(t.Context(), "root")
	q := everything()
	q.Filter.Keyword, q.Filter.SessionID = mustKeyword(t, planted), planted
	if _, err := s.Search(ctx, tenancytest.Scope(t, 7, 8), q); err != nil {
		t.Fatal(err)
	}
	root.End()
	var names []string
	for _, span := range recorder.Ended() {
		names = append(names, span.Name())
		for _, a := range span.Attributes() {
			if strings.Contains(a.Value.String(), planted) {
				t.Errorf("span %s, attribute %s: %s", span.Name(), a.Key, a.Value.String())
			}
		}
		if span.Name() != "engine" {
			continue
		}
		for _, want := range []attribute.KeyValue{
			attribute.Int("scopegate.scope.size", 2), attribute.Int("scopegate.engine.shards", 3),
			attribute.Int("scopegate.engine.hits", 1), attribute.Int("db.response.returned_rows", 1),
		} {
			if !slices.Contains(span.Attributes(), want) {
				t.Errorf("attribute %v is missing from %v", want, span.Attributes())
			}
		}
	}
	if diff := cmp.Diff([]string{"search", "engine", "root"}, names); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

// dateOf returns a date of the session.
func dateOf(d session.Document, field string) time.Time {
	ms, _ := d.Integer(field)
	return time.UnixMilli(ms).UTC()
}
