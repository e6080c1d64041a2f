package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// asking lists the ways to read sessions; all must fail together.
func asking(s *Store, scope tenancy.Scope) map[string]func(context.Context) error {
	deep := everything()
	deep.Offset = s.limits.window + 5
	return map[string]func(context.Context) error{
		"page": func(ctx context.Context) error {
			_, err := s.Search(ctx, scope, everything())
			return err
		},
		"count": func(ctx context.Context) error {
			_, err := s.Search(ctx, scope, search.Query{WithoutItems: true})
			return err
		},
		"deep page": func(ctx context.Context) error {
			_, err := s.Search(ctx, scope, deep)
			return err
		},
		"summary": func(ctx context.Context) error {
			_, err := s.Summarize(ctx, scope, search.SummaryQuery{})
			return err
		},
		"snapshot": func(ctx context.Context) error {
			snapshot, err := s.Snapshot(ctx, scope, search.Query{Sort: search.DefaultSort(), Fields: session.AllFields()})
			if err == nil {
				err = snapshot.Close()
			}
			return err
		},
	}
}

// wantUnavailable checks that all ways of reading, and readiness, fail with the
// given error.
func wantUnavailable(t *testing.T, s *Store, why error) {
	t.Helper()
	for name, ask := range asking(s, tenancytest.Scope(t, 7)) {
		if err := ask(t.Context()); !errors.Is(err, search.ErrUnavailable) || !errors.Is(err, why) {
			t.Errorf("%s: error %v, want %v and %v", name, err, search.ErrUnavailable, why)
		}
	}
	if err := s.Ping(t.Context()); !errors.Is(err, search.ErrUnavailable) || !errors.Is(err, why) {
		t.Errorf("ready: error %v, want %v", err, why)
	}
}

// wantAvailable checks that all ways of reading succeed. It retries, since opening
// a shard takes some time.
func wantAvailable(t *testing.T, s *Store) {
	t.Helper()
	await(t, "readiness", func() error { return s.Ping(t.Context()) })
	for name, ask := range asking(s, tenancytest.Scope(t, 7)) {
		if err := ask(t.Context()); err != nil {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// await retries until there is no error.
func await(t *testing.T, what string, f func() error) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// filled opens a Store with some sessions and searches it once.
func filled(t *testing.T) *Store {
	t.Helper()
	s := openSessions(t, 1)
	write(t, s, newSession(t, "a", 7, nil), newSession(t, "b", 7, nil), newSession(t, "c", 7, nil))
	wantAvailable(t, s)
	return s
}

func (s *Store) sessions() string { return s.names(session.KindSession).first() }

func setting(tb testing.TB, s *Store, index string, settings values) {
	tb.Helper()
	body, err := json.Marshal(settings)
	if err != nil {
		tb.Fatal(err)
	}
	err = s.client.call(tb.Context(), esapi.IndicesPutSettingsRequest{
		Index: []string{index}, Body: bytes.NewReader(body), Instrument: s.client.instrument,
	}, nil)
	if err != nil {
		tb.Fatal(err)
	}
}

func TestAClosedIndexIsUnavailableUntilItIsOpened(t *testing.T) {
	s := filled(t)
	before, err := s.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = s.client.call(t.Context(), esapi.IndicesCloseRequest{Index: []string{s.sessions()}, Instrument: s.client.instrument}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantUnavailable(t, s, ErrClosed)
	if status, err := s.Status(t.Context()); err != nil || status.Indices[0].Problem != ErrClosed.Error() {
		t.Errorf("status: %+v, error %v, want %q", status, err, ErrClosed)
	}
	if after, err := s.Identity(t.Context()); err != nil || after != before {
		t.Errorf("identity %q, error %v, want %q: older answers stand in", after, err, before)
	}
	err = s.client.call(t.Context(), esapi.IndicesOpenRequest{Index: []string{s.sessions()}, Instrument: s.client.instrument}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantAvailable(t, s)
}

func TestAnIndexThatIsBlockedForReadsIsUnavailable(t *testing.T) {
	s := filled(t)
	setting(t, s, s.sessions(), values{"index.blocks.read": true})
	wantUnavailable(t, s, errReadBlocked)
	setting(t, s, s.sessions(), values{"index.blocks.read": nil})
	wantAvailable(t, s)
}

func TestALoweredLimitOfTheIndexMakesItUnavailable(t *testing.T) {
	s := filled(t)
	for name, lowered := range map[string]int{"index.max_result_window": 100, "index.max_terms_count": 2} {
		setting(t, s, s.sessions(), values{name: lowered})
		time.Sleep(time.Until(s.fits.known.Load().asked.Add(fitsFor)))
		wantUnavailable(t, s, ErrLimit)
		if err := s.Ping(t.Context()); !strings.HasSuffix(reason.Of(err), name) {
			t.Errorf("reason %q, want the setting's name %q", reason.Of(err), name)
		}
		if _, err := s.Write(t.Context(), upserts(newSession(t, "d", 7, nil))); err != nil {
			t.Errorf("%s: writes are not concerned: %v", name, err)
		}
		raised := map[string]int{"index.max_result_window": s.limits.window, "index.max_terms_count": maxTerms}[name]
		setting(t, s, s.sessions(), values{name: raised})
		wantAvailable(t, s)
	}
}

func TestARefusalBecauseOfALimitIsUnavailable(t *testing.T) {
	scope := tenancytest.Scope(t, 7)
	for name, c := range map[string]struct{ kind, why, want string }{
		"window": {
			"illegal_argument_exception",
			"Result window is too large, from + size must be less than or equal to: [5] but was [6]. This limit can be set by changing the [index.max_result_window] index level setting.",
			"index.max_result_window",
		},
		"terms": {
			"query_shard_exception",
			"failed to create query: The number of terms [3] used in the Terms Query request has exceeded the allowed maximum of [2]. This maximum can be set by changing the [index.max_terms_count] index level setting.",
			"index.max_terms_count",
		},
		"buckets":           {"too_many_buckets_exception", "Trying to create too many buckets. This limit can be set by changing the [search.max_buckets] cluster level setting.", "search.max_buckets"},
		"clauses":           {"too_many_clauses", "maxClauseCount is set to 1024", ""},
		"nested clauses":    {"too_many_nested_clauses", "Query contains too many nested clauses; maxClauseCount is set to 1024", ""},
		"a name of no kind": {"illegal_argument_exception", "planted can be set by changing the [" + planted + "]", ""},
	} {
		body, err := json.Marshal(map[string]any{"error": map[string]any{"type": c.kind, "reason": c.why}, "status": 400})
		if err != nil {
			t.Fatal(err)
		}
		s, _ := openFake(t, always(http.StatusBadRequest, string(body)))
		_, err = s.Search(t.Context(), scope, everything())
		if !errors.Is(err, search.ErrUnavailable) || !errors.Is(err, ErrLimit) || !strings.HasSuffix(reason.Of(err), c.want) {
			t.Errorf("%s: error %v, want %v with %q", name, err, ErrLimit, c.want)
		}
		if strings.Contains(err.Error(), planted) {
			t.Errorf("%s: the error quotes the answer: %v", name, err)
		}
	}
}

// secondIndex makes another index, without an alias, beside the given one.
func secondIndex(t *testing.T, s *Store, beside string, definition clause) string {
	t.Helper()
	name := beside + "-second"
	definition = maps.Clone(definition)
	delete(definition, "aliases")
	body, err := json.Marshal(definition)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = s.client.call(ctx, esapi.IndicesDeleteRequest{Index: []string{name}, Instrument: s.client.instrument}, nil)
	})
	err = s.client.call(t.Context(), esapi.IndicesCreateRequest{Index: name, Body: bytes.NewReader(body), Instrument: s.client.instrument}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// aliases changes an alias atomically.
func aliases(t *testing.T, s *Store, alias string, actions ...string) {
	t.Helper()
	var list []string
	for _, a := range actions {
		verb, index, _ := strings.Cut(a, " ")
		list = append(list, `{"`+verb+`":{"index":"`+index+`","alias":"`+alias+`"}}`)
	}
	err := s.client.call(t.Context(), esapi.IndicesUpdateAliasesRequest{
		Body: strings.NewReader(`{"actions":[` + strings.Join(list, ",") + `]}`), Instrument: s.client.instrument,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

func TestTwoIndicesBehindTheReadAliasNeverDoubleAnAnswer(t *testing.T) {
	s := filled(t)
	second := secondIndex(t, s, s.sessions(), s.definition(session.KindSession))
	err := s.client.call(t.Context(), esapi.ReindexRequest{
		Body:    strings.NewReader(`{"source":{"index":"` + s.sessions() + `"},"dest":{"index":"` + second + `"}}`),
		Refresh: new(true), Instrument: s.client.instrument,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	scope, alias := tenancytest.Scope(t, 7), s.names(session.KindSession).read
	for name, ask := range asking(s, scope) {
		wantAvailable(t, s) // the check is fresh now
		aliases(t, s, alias, "add "+second)
		if err := ask(t.Context()); !errors.Is(err, ErrSeveral) {
			t.Errorf("%s: error %v, want %v at once", name, err, ErrSeveral)
		}
		wantUnavailable(t, s, ErrSeveral)
		aliases(t, s, alias, "remove "+second)
	}
	aliases(t, s, alias, "add "+second, "remove "+s.sessions())
	wantAvailable(t, s)
	result, err := s.Search(t.Context(), scope, everything())
	if err != nil || result.Count.Total != 3 {
		t.Errorf("count %d, error %v, want the 3 sessions of the second index", result.Count.Total, err)
	}
}

func TestAnAliasThatLeadsElsewhereIsNoticedWithoutAProbe(t *testing.T) {
	s := filled(t)
	second := secondIndex(t, s, s.sessions(), clause{"mappings": clause{"properties": clause{"companyId": clause{"type": "integer"}}}})
	scope, alias := tenancytest.Scope(t, 7), s.names(session.KindSession).read
	noticed := func(what string, why error) {
		t.Helper()
		await(t, what, func() error {
			if _, err := s.Search(t.Context(), scope, everything()); !errors.Is(err, why) {
				return errors.Join(errors.New("not noticed"), err)
			}
			return nil
		})
		wantUnavailable(t, s, why)
	}
	aliases(t, s, alias, "add "+second, "remove "+s.sessions())
	noticed("a foreign index", ErrSchema)
	aliases(t, s, alias, "add "+s.sessions(), "remove "+second)
	wantAvailable(t, s)
	aliases(t, s, alias, "remove "+s.sessions())
	noticed("no index", ErrNoIndex)
	aliases(t, s, alias, "add "+s.sessions())
	wantAvailable(t, s)
}

func TestSearchesGoOnWhileItCannotBeAskedWhatTheIndexIs(t *testing.T) {
	s, f := openFake(t, func(r *http.Request, _ string, _ int) (int, string, error) {
		if r.Method == http.MethodGet {
			return http.StatusForbidden, `{"error":{"type":"cluster_block_exception","reason":"metadata"},"status":403}`, nil
		}
		return http.StatusOK, noHits, nil
	})
	s.fits.known.Store(&checkedFitness{asked: time.Now().Add(-time.Hour)})
	for range 2 {
		if _, err := s.Search(t.Context(), tenancytest.Scope(t, 7), everything()); err != nil {
			t.Error(err)
		}
	}
	asked := 0
	for path, n := range f.asked {
		if strings.HasSuffix(path, "scopegate-sessions") {
			asked += n
		}
	}
	if n := asked; n != 1 {
		t.Errorf("asked %d times what the index is, want once in %s", n, fitsFor)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("ready: error %v, want %v", err, search.ErrUnavailable)
	}
}

func TestAnElasticsearchThatTurnsASearchAwayIsReady(t *testing.T) {
	fits, err := json.Marshal(map[string]any{"index": map[string]any{
		"mappings": map[string]any{"_meta": map[string]any{"scopegate": newestMark(schema.Steps())}},
		"settings": map[string]any{"index": map[string]any{"number_of_shards": "1"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		status int
		answer string
		ready  bool
	}{
		"too many searches": {http.StatusTooManyRequests, `{"error":{"type":"es_rejected_execution_exception"},"status":429}`, true},
		"no shard answers":  {http.StatusServiceUnavailable, `{"error":{"type":"no_shard_available_action_exception"},"status":503}`, false},
		"a shard failed":    {http.StatusOK, `{"timed_out":false,"_shards":{"total":3,"failed":1}}`, false},
		"it answers":        {http.StatusOK, `{"timed_out":false,"_shards":{"total":3,"failed":0}}`, true},
	} {
		s, _ := openFake(t, func(r *http.Request, _ string, _ int) (int, string, error) {
			if r.Method == http.MethodGet {
				return http.StatusOK, string(fits), nil
			}
			return c.status, c.answer, nil
		})
		if err := s.Ping(t.Context()); (err == nil) != c.ready {
			t.Errorf("%s: error %v, want ready: %t", name, err, c.ready)
		}
	}
}
