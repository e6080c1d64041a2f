package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// faulty leads to a real Elasticsearch and answers some requests in its place.
type faulty struct {
	next   *http.Transport
	answer func(r *http.Request, body string) (status int, json string) // 0: the real one's answer
}

func (f *faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	status, text := f.answer(r, string(body))
	if status == 0 {
		return f.next.RoundTrip(r)
	}
	header := http.Header{"X-Elastic-Product": {"Elasticsearch"}, "Content-Type": {"application/json"}}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

// openFaulty is a Store on the indices of another one, over a faulty connection.
func openFaulty(t *testing.T, s *Store, answer func(r *http.Request, body string) (int, string)) *Store {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	o := s.options
	o.Transport = &faulty{transport, answer}
	return openWith(t, o)
}

const (
	busyBody   = `{"error":{"type":"circuit_breaking_exception","reason":"[parent] Data too large"},"status":429}`
	failedCopy = `{"_shards":{"total":6,"successful":3,"failed":1}}`
)

func isRefresh(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/_refresh") }

// openSlow is an empty Store on a real Elasticsearch that shows writes after an hour.
func openSlow(t *testing.T) *Store {
	t.Helper()
	s := openWith(t, Options{Addresses: []string{address(t)}, Index: uniqueName(t), Shards: 3, RefreshInterval: time.Hour})
	if _, err := s.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func countAll(t *testing.T, s *Store) int64 {
	t.Helper()
	result, err := s.Search(t.Context(), tenancytest.Scope(t, 7), search.Query{WithoutItems: true})
	if err != nil {
		t.Fatal(err)
	}
	return result.Count.Total
}

func TestWhatAnImportWroteIsSearchableAlsoWhereItsRefreshIsRefused(t *testing.T) {
	for name, refused := range map[string]struct {
		status int
		body   string
		times  int64
	}{
		"too busy, always":         {http.StatusTooManyRequests, busyBody, 1 << 40},
		"no shard is there, twice": {http.StatusServiceUnavailable, `{}`, 2},
		"a copy does not follow":   {http.StatusOK, failedCopy, 1 << 40},
		"no privilege":             {http.StatusForbidden, `{"error":{"type":"security_exception","reason":"x"}}`, 1 << 40},
		"a time limit of a proxy":  {http.StatusGatewayTimeout, `<html>`, 1 << 40},
	} {
		t.Run(name, func(t *testing.T) {
			plain := openSlow(t)
			var left atomic.Int64
			left.Store(refused.times)
			s := openFaulty(t, plain, func(r *http.Request, _ string) (int, string) {
				if isRefresh(r) && left.Add(-1) >= 0 {
					return refused.status, refused.body
				}
				return 0, ""
			})
			importer := s.Importer()
			var docs []search.Document
			for _, id := range strings.Fields("a b c d e f g h i j k l m n o p") { // on all shards
				docs = append(docs, session(t, id, 7, nil))
			}
			write(t, importer, docs...)
			if n := countAll(t, plain); n != 0 {
				t.Fatalf("%d sessions are searchable before", n)
			}
			if err := importer.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := countAll(t, plain); n != int64(len(docs)) {
				t.Errorf("%d sessions are searchable, want %d", n, len(docs))
			}
		})
	}
}

func TestWhatAnImportWroteIsSearchableAlsoWhereItsRefreshIsNotAnswered(t *testing.T) {
	plain := openSlow(t)
	s := openFaulty(t, plain, func(r *http.Request, _ string) (int, string) {
		if isRefresh(r) {
			<-r.Context().Done()
		}
		return 0, ""
	})
	s.limits.patience = 300 * time.Millisecond
	importer := s.Importer()
	write(t, importer, session(t, "a", 7, nil))
	if err := importer.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := countAll(t, plain); n != 1 {
		t.Errorf("%d sessions are searchable, want 1", n)
	}
}

func TestARefreshThatStaysRefusedInEveryWayIsAnErrorAfterItsTime(t *testing.T) {
	s := openFaulty(t, openSlow(t), func(r *http.Request, body string) (int, string) {
		if isRefresh(r) || strings.Contains(body, "absent-") {
			return http.StatusTooManyRequests, busyBody
		}
		return 0, ""
	})
	s.limits.patience = 300 * time.Millisecond
	importer := s.Importer()
	write(t, importer, session(t, "a", 7, nil))
	if err := importer.Refresh(t.Context()); !errors.Is(err, search.ErrUnavailable) || !errors.Is(err, errBusy) {
		t.Errorf("error %v, want %v", err, errBusy)
	}
}

// A cluster that is too busy for everything, for a while.
func TestAnImportGoesOnWhenAnyOfItsRequestsIsTurnedAwayForAWhile(t *testing.T) {
	plain := openSlow(t)
	for i, path := range []string{"-sessions", "/_mget", "/_bulk", "/_refresh"} {
		t.Run(path, func(t *testing.T) {
			var turnedAway atomic.Int64
			s := openFaulty(t, plain, func(r *http.Request, _ string) (int, string) {
				if strings.HasSuffix(r.URL.Path, path) && turnedAway.Add(1) <= 4 {
					return http.StatusTooManyRequests, busyBody
				}
				return 0, ""
			})
			if err := s.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			importer := s.TouchingImporter(func([]tenancy.CompanyID) {})
			write(t, importer, session(t, path, 7, nil))
			if err := importer.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := countAll(t, plain); n != int64(i)+1 || turnedAway.Load() == 0 {
				t.Errorf("%d sessions are searchable, %d requests were seen", n, turnedAway.Load())
			}
		})
	}
}

func TestADirectoryEditGoesOnWhenAnyOfItsRequestsIsTurnedAwayForAWhile(t *testing.T) {
	plain := openStore(t, 1)
	for i, path := range []string{"-sessions", "/_doc/lock", "/_refresh", "/_pit", "/_search", "/_stats/docs", "/_bulk"} {
		t.Run(path, func(t *testing.T) {
			var turnedAway atomic.Int64
			s := openFaulty(t, plain, func(r *http.Request, _ string) (int, string) {
				if strings.HasSuffix(r.URL.Path, path) && turnedAway.Add(1) <= 2 {
					return http.StatusServiceUnavailable, `{}`
				}
				return 0, ""
			})
			if _, err := s.EditDirectory(t.Context(), steps(company(tenancy.CompanyID(i+1), 0, "Root"))); err != nil {
				t.Fatal(err)
			}
			records, err := plain.Load(t.Context())
			if err != nil || len(records.Companies) != i+1 {
				t.Errorf("%d companies, %v", len(records.Companies), err)
			}
			if turnedAway.Load() == 0 {
				t.Error("no such request was seen")
			}
		})
	}
}

// openNarrow is an empty Store on a real Elasticsearch that takes no text as purpose.
// What the parser takes, Elasticsearch takes; this stands for what it may refuse
// all the same.
func openNarrow(t *testing.T) *Store {
	t.Helper()
	s := openBare(t, 3)
	body := s.definition(search.KindSession)
	body["mappings"].(clause)["properties"].(clause)["purpose"] = clause{"type": "long"}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	err = s.client.call(t.Context(), esapi.IndicesCreateRequest{
		Index: s.names(search.KindSession).first(), Body: bytes.NewReader(text), Instrument: s.client.instrument,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDocumentsThatElasticsearchRefusesAreNamedAndAllOthersAreWritten(t *testing.T) {
	s := openNarrow(t)
	s.limits.bulkLines = 2 // several requests
	bad := session(t, "bad", 7, values{"purpose": "secret"})
	changes := upserts(bad, session(t, "a", 7, nil), session(t, "b", 7, nil), bad, session(t, "bad", 7, nil), session(t, "c", 7, nil), bad)
	changes = append(changes, gone("b"), gone("none"))
	written, err := s.Write(t.Context(), changes)
	var refused *search.RefusedError
	if !errors.As(err, &refused) || errors.Is(err, search.ErrUnavailable) {
		t.Fatalf("error %v, want refusals", err)
	}
	const why = "Elasticsearch refuses it: status 400, document_parsing_exception"
	want := []search.Refusal{{Change: 0, Reason: why}, {Change: 3, Reason: why}, {Change: 6, Reason: why}}
	if diff := cmp.Diff(want, refused.Refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(search.Written{Upserted: 4, Deleted: 1, Missing: 1}, written); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	if n := countAll(t, s); n != 3 {
		t.Errorf("%d sessions are there, want 3", n)
	}
}

// Nothing is wrong with the documents.
func TestAnIndexThatTakesNoDocumentRefusesNoneOfThem(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, s *Store) error{
		"it is closed": func(t *testing.T, s *Store) error {
			t.Helper()
			return s.client.call(t.Context(), esapi.IndicesCloseRequest{Index: []string{s.names(search.KindSession).first()}, Instrument: s.client.instrument}, nil)
		},
		"its pipeline is missing": func(t *testing.T, s *Store) error {
			t.Helper()
			return s.client.call(t.Context(), esapi.IndicesPutSettingsRequest{
				Index: []string{s.names(search.KindSession).first()}, Body: strings.NewReader(`{"index":{"default_pipeline":"none"}}`), Instrument: s.client.instrument,
			}, nil)
		},
		"the alias has no index to write to": func(t *testing.T, s *Store) error {
			t.Helper()
			n := s.names(search.KindSession)
			return s.client.call(t.Context(), esapi.IndicesPutAliasRequest{
				Index: []string{n.first()}, Name: n.write, Body: strings.NewReader(`{"is_write_index":false}`), Instrument: s.client.instrument,
			}, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, 1)
			if err := change(t, s); err != nil {
				t.Fatal(err)
			}
			s.fits.known.Store(&verdict{asked: time.Now().Add(time.Hour)})
			_, err := s.Importer().Write(t.Context(), upserts(session(t, "a", 7, nil)))
			var refused *search.RefusedError
			if err == nil || errors.As(err, &refused) {
				t.Errorf("error %v, want one that is of no document", err)
			}
		})
	}
}

// Each document that the parser takes is one that Elasticsearch takes: of one that
// it does not, an import into SQLite and one into Elasticsearch would differ.
func TestElasticsearchTakesEveryDocumentThatTheParserTakes(t *testing.T) {
	s := openStore(t, 1)
	var docs []search.Document
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.Custom(oddDocument).Draw(t, "document")
		doc, err := search.ParseDocument([]byte(raw))
		if err == nil {
			docs = append(docs, doc)
		}
	})
	if len(docs) == 0 {
		t.Fatal("the parser took nothing")
	}
	if _, err := s.Write(t.Context(), upserts(docs...)); err != nil {
		t.Errorf("%d documents: %v", len(docs), err)
		var refused *search.RefusedError
		if errors.As(err, &refused) {
			t.Logf("%s", docs[refused.Refused[0].Change].JSON())
		}
	}
}

// oddDocument has values at and beyond the edges of what engines take.
func oddDocument(t *rapid.T) string {
	number := func(name string) string {
		digits := rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), 0, 99, -1).Draw(t, name+" digits")
		return rapid.SampledFrom([]string{
			"0", "-0", "-0.0", "1e5", "1E+05", "1e-400", "1e400", "-1e-999999999", "1e999999999", "0." + digits + "1", "1" + digits, "-1" + digits,
			"1" + digits + "." + digits + "1",
		}).Draw(t, name)
	}
	text := func(name string) string {
		quoted, err := json.Marshal(rapid.StringN(0, 20, -1).Draw(t, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(quoted)
	}
	depth := rapid.IntRange(1, 110).Draw(t, "depth")
	open, end := `{"a":`, "}"
	if rapid.Bool().Draw(t, "lists") {
		open, end = "[", "]"
	}
	members := []string{
		`"id":"` + rapid.StringMatching(`[a-z]{1,20}`).Draw(t, "id") + `"`, `"companyId":7`,
		`"rating":` + number("rating"), `"price":` + number("price"), `"name":` + text("name"), `"purpose":` + text("purpose"),
		`"nps":` + rapid.SampledFrom([]string{"0", "9223372036854775807", "-9223372036854775808", "null"}).Draw(t, "nps"),
		`"createdAt":` + rapid.SampledFrom([]string{`"0001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59.999999999Z"`, `"2024-02-29T00:00:00+14:00"`, "null"}).Draw(t, "date"),
		`"metrics":{` + text("key") + `:` + strings.Repeat(open, depth) + number("value") + strings.Repeat(end, depth) + `}`,
	}
	return "{" + strings.Join(rapid.Permutation(members).Draw(t, "order"), ",") + "}"
}
