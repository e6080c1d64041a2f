package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// recorder stands between a gateway and Elasticsearch and keeps the searches of
// sessions that go by, byte for byte.
type recorder struct {
	server *http.Server
	url    string
	host   string // Elasticsearch's
	path   string // what searches of sessions are sent to

	mu       sync.Mutex
	searches []request
}

func startRecorder(ctx context.Context, e elastic) (*recorder, error) {
	target, err := url.Parse(e.url)
	if err != nil {
		return nil, err
	}
	r := &recorder{host: e.host(), path: "/" + e.sessions() + "/_search"}
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target) }}
	server, address, err := serveLocally(ctx, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == r.path {
			if err := r.record(q); err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
		}
		proxy.ServeHTTP(w, q)
	}))
	r.server, r.url = server, "http://"+address
	return r, err
}

func (r *recorder) record(q *http.Request) error {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return err
	}
	q.Body = io.NopCloser(bytes.NewReader(body))
	header := http.Header{}
	for name, values := range q.Header {
		if !slices.Contains([]string{"Connection", "Content-Length", "Traceparent", "Tracestate"}, name) {
			header[name] = values
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.searches = append(r.searches, newRequest(q.Method, r.host, q.URL.RequestURI(), header, body))
	return nil
}

var errNotOneSearch = errors.New("a request to the gateway was not one search of Elasticsearch")

// straight has the gateway, which must be behind the recorder, answer each
// request, and returns the search that it sent for it.
func (r *recorder) straight(ctx context.Context, gateway string, requests []request) ([]request, error) {
	r.mu.Lock()
	r.searches = nil
	r.mu.Unlock()
	for i, one := range requests {
		if _, err := answers(ctx, gateway, []request{one}); err != nil {
			return nil, err
		}
		r.mu.Lock()
		n := len(r.searches)
		r.mu.Unlock()
		if n != i+1 {
			return nil, fmt.Errorf("%w but %d", errNotOneSearch, n-i)
		}
	}
	return r.searches, nil
}

func (r *recorder) close() error { return r.server.Close() }

// settings point a gateway's Elasticsearch at the recorder.
func (r *recorder) settings(of engine) []string {
	changed := slices.Clone(of.settings)
	for i, setting := range changed {
		if strings.HasPrefix(setting, "elasticsearch.addresses=") {
			changed[i] = fmt.Sprintf("elasticsearch.addresses=[%q]", r.url)
		}
	}
	return changed
}
