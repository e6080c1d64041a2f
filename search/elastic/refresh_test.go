package elastic

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// faulty forwards requests to a real Elasticsearch and answers some of them itself.
type faulty struct {
	next   *http.Transport
	answer func(r *http.Request, body string) (status int, json string) // 0: forward the request
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

// openFaulty opens a Store on the indices of another one, over a faulty connection.
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

// openSlow opens an empty Store on a real Elasticsearch that shows writes only
// after an hour.
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
	t.Parallel()
	plain := openSlow(t)
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
			before := countAll(t, plain)
			var left atomic.Int64
			left.Store(refused.times)
			s := openFaulty(t, plain, func(r *http.Request, _ string) (int, string) {
				if isRefresh(r) && left.Add(-1) >= 0 {
					return refused.status, refused.body
				}
				return 0, ""
			})
			importer := s.Importer()
			var docs []session.Document
			for _, id := range strings.Fields("a b c d e f g h i j k l m n o p") { // on all shards
				docs = append(docs, newSession(t, id+name, 7, nil))
			}
			write(t, importer, docs...)
			if n := countAll(t, plain); n != before {
				t.Fatalf("%d sessions are searchable before, want %d", n, before)
			}
			if err := importer.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := countAll(t, plain) - before; n != int64(len(docs)) {
				t.Errorf("%d sessions are searchable, want %d", n, len(docs))
			}
		})
	}
}

func TestWhatAnImportWroteIsSearchableAlsoWhereItsRefreshIsNotAnswered(t *testing.T) {
	t.Parallel()
	plain := openSlow(t)
	s := openFaulty(t, plain, func(r *http.Request, _ string) (int, string) {
		if isRefresh(r) {
			<-r.Context().Done()
		}
		return 0, ""
	})
	s.limits.retryFor = 300 * time.Millisecond
	importer := s.Importer()
	write(t, importer, newSession(t, "a", 7, nil))
	if err := importer.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := countAll(t, plain); n != 1 {
		t.Errorf("%d sessions are searchable, want 1", n)
	}
}

func TestARefreshThatStaysRefusedInEveryWayIsAnErrorAfterItsTime(t *testing.T) {
	t.Parallel()
	s := openFaulty(t, openSlow(t), func(r *http.Request, body string) (int, string) {
		if isRefresh(r) || strings.Contains(body, "absent-") {
			return http.StatusTooManyRequests, busyBody
		}
		return 0, ""
	})
	s.limits.retryFor = 300 * time.Millisecond
	importer := s.Importer()
	write(t, importer, newSession(t, "a", 7, nil))
	if err := importer.Refresh(t.Context()); !errors.Is(err, search.ErrUnavailable) || !errors.Is(err, errBusy) {
		t.Errorf("error %v, want %v", err, errBusy)
	}
}

// The cluster rejects every request for a while because it is too busy.
func TestAnImportGoesOnWhenAnyOfItsRequestsIsTurnedAwayForAWhile(t *testing.T) {
	t.Parallel()
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
			importer := s.NotifyingImporter(func([]tenancy.CompanyID) {})
			write(t, importer, newSession(t, path, 7, nil))
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
	t.Parallel()
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
