package elastic

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/session"
)

// fakeCluster answers by a function of the request, its body and the number of
// requests to this path so far. It records the bodies.
type fakeCluster struct {
	answer func(r *http.Request, body string, nth int) (status int, json string, err error)

	mu     sync.Mutex
	asked  map[string]int
	bodies map[string][]string
}

func (f *fakeCluster) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(b)
	}
	f.mu.Lock()
	f.asked[r.URL.Path]++
	f.bodies[r.URL.Path] = append(f.bodies[r.URL.Path], body)
	nth := f.asked[r.URL.Path]
	f.mu.Unlock()
	status, json, err := f.answer(r, body, nth)
	if err != nil {
		return nil, err
	}
	header := http.Header{"X-Elastic-Product": {"Elasticsearch"}, "Content-Type": {"application/json"}}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader([]byte(json))), Request: r}, nil
}

// openFake opens a Store on a cluster that gives one kind of answer to everything.
// The Store takes its index as checked.
func openFake(tb testing.TB, answer func(r *http.Request, body string, nth int) (int, string, error)) (*Store, *fakeCluster) {
	tb.Helper()
	f := &fakeCluster{answer: answer, asked: map[string]int{}, bodies: map[string][]string{}}
	s := openWith(tb, Options{Addresses: []string{"http://elasticsearch.invalid:9200"}, Transport: f, Workers: 1})
	s.fits.known.Store(&checkedFitness{asked: time.Now().Add(time.Hour)})
	return s, f
}

// always returns the same answer.
func always(status int, json string) func(*http.Request, string, int) (int, string, error) {
	return func(*http.Request, string, int) (int, string, error) { return status, json, nil }
}

// items answers a bulk request line by line, with a status each.
func items(body string, status func(line int, verb string) int) string {
	var list []string
	n := 0
	for line := range strings.Lines(body) {
		var verb string
		switch {
		case strings.HasPrefix(line, `{"index":{"_index"`):
			verb = "index"
		case strings.HasPrefix(line, `{"delete":{"_index"`):
			verb = "delete"
		default:
			continue
		}
		list = append(list, item(verb, status(n, verb)))
		n++
	}
	return `{"items":[` + strings.Join(list, ",") + `]}`
}

func item(verb string, status int) string {
	switch {
	case status == http.StatusOK && verb == "delete":
		return `{"delete":{"status":200,"result":"deleted"}}`
	case status == http.StatusOK:
		return `{"index":{"status":200,"result":"updated"}}`
	case status == http.StatusNotFound:
		return `{"delete":{"status":404,"result":"not_found"}}`
	case isBusy(status):
		return `{"` + verb + `":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"secret"}}}`
	}
	return `{"` + verb + `":{"status":400,"error":{"type":"document_parsing_exception","reason":"secret"}}}`
}

func gone(id string) session.Change {
	return session.Change{Kind: session.KindSession, Delete: true, SessionID: id}
}

// transportFunc is a function that serves as transport.
type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
