package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tcptest"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

const planted = "planted-79991234567"

func everything() search.Query {
	return search.Query{Sort: search.DefaultSort(), Fields: session.AllFields(), Limit: 10}
}

func TestAnswersThatAreErrors(t *testing.T) {
	scope := tenancytest.Scope(t, 7)
	failure := func(kind string) string {
		return fmt.Sprintf(`{"error":{"type":"outer_exception","reason":%q,"root_cause":[{"type":%q,"reason":%q}]}}`, planted, kind, planted)
	}
	whole := `{"took":1,"timed_out":%t,"_shards":{"total":3,"failed":%d},"hits":{"total":{"value":0,"relation":%q},"hits":[]}}`
	for name, c := range map[string]struct {
		status int
		answer string
		want   error
	}{
		"the index is missing":           {404, failure("index_not_found_exception"), ErrNoIndex},
		"a missing index is unavailable": {404, failure("index_not_found_exception"), search.ErrUnavailable},
		"a point in time has ended":      {404, failure("search_context_missing_exception"), search.ErrUnavailable},
		"wrong credentials":              {401, failure("security_exception"), search.ErrUnavailable},
		"a privilege is lacking":         {403, failure("security_exception"), search.ErrUnavailable},
		"too many requests":              {429, failure("es_rejected_execution_exception"), search.ErrUnavailable},
		"no shard answers":               {503, failure("no_shard_available_action_exception"), search.ErrUnavailable},
		"an error within":                {500, failure("null_pointer_exception"), search.ErrUnavailable},
		"a proxy gives up":               {502, "<html>" + planted, search.ErrUnavailable},
		"a proxy waits no longer":        {504, "<html>" + planted, search.ErrTimeout},
		"the search is refused":          {400, failure("x_content_parse_exception"), errRefused},
		"a type that is no word":         {400, failure(planted), errRefused},
		"a shard failed":                 {200, fmt.Sprintf(whole, false, 1, "eq"), search.ErrUnavailable},
		"the time was up":                {200, fmt.Sprintf(whole, true, 0, "eq"), search.ErrTimeout},
		"the count is a guess":           {200, fmt.Sprintf(whole, false, 0, "gte"), search.ErrUnavailable},
		"no JSON":                        {200, planted, search.ErrUnavailable},
		"a hit without a company": {200, strings.Replace(fmt.Sprintf(whole, false, 0, "eq"), `"hits":[]`,
			`"hits":[{"_source":{},"sort":[1,"a"]}]`, 1), search.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := openFake(t, always(c.status, c.answer))
			result, err := s.Search(t.Context(), scope, everything())
			if !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if strings.Contains(err.Error(), planted) {
				t.Errorf("the error quotes the answer: %v", err)
			}
			if len(result.Page.Rows) > 0 || result.Count.Total > 0 {
				t.Errorf("an answer beside the error: %+v", result)
			}
		})
	}
}

func TestAReasonOfElasticsearchIsReportedUnlessItQuotesASearch(t *testing.T) {
	scope := tenancytest.Scope(t, 7)
	failure := func(kind, why string) string {
		return fmt.Sprintf(`{"error":{"type":"outer_exception","reason":"outer","root_cause":[{"type":%q,"reason":%q}]}}`, kind, why)
	}
	s, _ := openFake(t, always(400, failure("illegal_argument_exception", "maximum normal shards open\n limit")))
	const want = "status 400, illegal_argument_exception: maximum normal shards open limit"
	if _, err := s.Create(t.Context()); err == nil || reason.Of(err) != want {
		t.Errorf("Create: error %v, want %q", err, want)
	}
	if _, err := s.Search(t.Context(), scope, everything()); err == nil || strings.Contains(err.Error(), "shards") {
		t.Errorf("Search: error %v, which quotes what may hold the query", err)
	}
	s, _ = openFake(t, always(429, failure("circuit_breaking_exception", "[parent] Data too large")))
	if _, err := s.Search(t.Context(), scope, everything()); err == nil || !strings.Contains(reason.Of(err), "circuit_breaking_exception: [parent] Data too large") {
		t.Errorf("Search: error %v, want the cluster's reason", err)
	}
	s, _ = openFake(t, always(400, failure("illegal_argument_exception", strings.Repeat("é", 1000))))
	if _, err := s.Create(t.Context()); err == nil || len(err.Error()) > 700 {
		t.Errorf("a long reason is not cut: %v", err)
	}
}

func TestAnElasticsearchThatIsDownIsUnavailable(t *testing.T) {
	down := "http://" + tcptest.Refused(t)
	s, err := Open(t.Context(), Options{Addresses: []string{down, down}, Username: "somebody", Password: planted})
	if err != nil {
		t.Fatalf("a Store opens while Elasticsearch is down: %v", err)
	}
	defer func() { _ = s.Close() }()
	scope := tenancytest.Scope(t, 7)
	_, searched := s.Search(t.Context(), scope, everything())
	_, written := s.Write(t.Context(), []session.Change{gone("x")})
	_, loaded := s.Load(t.Context())
	_, version := s.Version(t.Context())
	_, status := s.Status(t.Context())
	_, created := s.Create(t.Context())
	for name, err := range map[string]error{
		"search": searched, "write": written, "load": loaded, "version": version,
		"status": status, "create": created, "ready": s.Ping(t.Context()),
	} {
		if !errors.Is(err, search.ErrUnavailable) {
			t.Errorf("%s: error %v, want %v", name, err, search.ErrUnavailable)
		}
	}
}

func TestAnElasticsearchThatHangs(t *testing.T) {
	hang := func(r *http.Request, _ string, _ int) (int, string, error) {
		<-r.Context().Done()
		return 0, "", r.Context().Err()
	}
	scope := tenancytest.Scope(t, 7)
	s, f := openFake(t, hang)
	late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.Search(late, scope, everything()); !errors.Is(err, search.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("past the deadline: error %v, want %v", err, search.ErrTimeout)
	}
	left, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err := s.Search(left, scope, everything()); !errors.Is(err, context.Canceled) || errors.Is(err, search.ErrUnavailable) {
		t.Errorf("the caller went away: error %v, want %v alone", err, context.Canceled)
	}
	if n := f.asked["/scopegate-sessions/_search"]; n > 2 {
		t.Errorf("asked %d times, want no request tried again", n)
	}
}

func TestSomethingElseThanElasticsearchIsRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"hits":{"total":{"value":0,"relation":"eq"},"hits":[]}}`))
	}))
	defer server.Close()
	s, err := Open(t.Context(), Options{Addresses: []string{server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Ping(t.Context()); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("error %v, want %v", err, search.ErrUnavailable)
	}
}

func TestARequestGoesToTheNextNodeWhenOneIsDown(t *testing.T) {
	running := address(t)
	s := openWith(t, Options{
		Addresses: []string{"http://127.0.0.1:1", running, "http://127.0.0.1:1"}, Index: uniqueName(t),
	})
	for range 6 {
		if _, err := s.Status(t.Context()); err != nil {
			t.Errorf("status: %v", err)
		}
	}
}

func TestAClosedStoreIsUnavailable(t *testing.T) {
	s, f := openFake(t, always(http.StatusOK, noHits))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if _, err := s.Search(t.Context(), tenancytest.Scope(t, 7), everything()); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("error %v, want %v", err, search.ErrUnavailable)
	}
	if len(f.asked) > 0 {
		t.Errorf("asked %v, want nothing", f.asked)
	}
}
