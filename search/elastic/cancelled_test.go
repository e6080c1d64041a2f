package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// slowed makes each search of the store's sessions take some seconds: the alias that
// is searched has a filter with a long loop.
func slowed(t *testing.T, s *Store) {
	t.Helper()
	const loop = "long s = 0; for (int i = 0; i < 900000; i++) { s += i % 7 } return s > 0"
	filter := map[string]any{"script": map[string]any{"script": map[string]any{"source": loop, "lang": "painless"}}}
	indices := rawRequest(t, s, http.MethodGet, "/_alias/"+s.options.Index+"-*", nil)
	for index, info := range indices {
		aliases := info.(map[string]any)["aliases"].(map[string]any)
		for alias := range aliases {
			rawRequest(t, s, http.MethodPost, "/_aliases", map[string]any{"actions": []any{
				map[string]any{"remove": map[string]any{"index": index, "alias": alias}},
				map[string]any{"add": map[string]any{"index": index, "alias": alias, "filter": filter}},
			}})
		}
	}
}

func rawRequest(t *testing.T, s *Store, method, path string, body any) map[string]any {
	t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.options.Addresses[0]+path, bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if body == nil {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it is only read
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%s %s: status %d, %v: %v", method, path, res.StatusCode, err, answer)
	}
	return answer
}

// tasks returns the searches of the store that Elasticsearch runs, and how many of them
// are cancelled.
func tasks(t *testing.T, s *Store) (running, cancelled int) {
	t.Helper()
	nodes, _ := rawRequest(t, s, http.MethodGet, "/_tasks?detailed&actions=indices:data/read/search", nil)["nodes"].(map[string]any)
	for _, node := range nodes {
		for _, task := range node.(map[string]any)["tasks"].(map[string]any) {
			of := task.(map[string]any)
			if !strings.Contains(fmt.Sprint(of["description"]), s.options.Index) {
				continue
			}
			running++
			if of["cancelled"] == true {
				cancelled++
			}
		}
	}
	return running, cancelled
}

func TestASearchThatNobodyWaitsForIsCancelledInElasticsearch(t *testing.T) {
	t.Cleanup(func() { http.DefaultTransport.(*http.Transport).CloseIdleConnections() })
	s := openSessions(t, 1)
	var docs []session.Document
	for i := range 3000 {
		docs = append(docs, newSession(t, strconv.Itoa(i), 7, nil))
	}
	write(t, s, docs...)
	slowed(t, s)
	scope := tenancytest.Scope(t, 7)
	for name, q := range map[string]search.Query{"count": {WithoutItems: true}, "page": everything().PageOnly()} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { _, err := s.Search(ctx, scope, q); ended <- err }()
		await(t, name+" runs", func() error {
			if running, _ := tasks(t, s); running == 0 {
				return errors.New("no search is running")
			}
			return nil
		})
		cancel()
		left := time.Now()
		await(t, name+" is cancelled", func() error {
			if running, cancelled := tasks(t, s); cancelled < running {
				return fmt.Errorf("%d of %d searches are cancelled", cancelled, running)
			}
			return nil
		})
		t.Logf("%s: cancelled %s after its caller left", name, time.Since(left))
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
