package freshness_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// upstreamText is in what the faulty cluster says, and must not get to a caller.
const upstreamText = "upstream-text-79991234567"

// engineAnswer is what Elasticsearch has answered.
type engineAnswer struct {
	status int
	header http.Header
	body   []byte
}

// engineFault spoils what Elasticsearch has answered to a search for sessions.
type engineFault struct {
	name string
	// edit changes the answer; false: it has nothing to be changed, and is right.
	edit func(a *engineAnswer) bool
	// send, unless nil, sends the answer in place of the usual way.
	send   func(w http.ResponseWriter, r *http.Request, a engineAnswer)
	status int // of the gateway's answer, before its first byte
}

// hangs reports whether the fault is that no answer comes.
func (f engineFault) hangs() bool { return f.edit == nil && f.send == nil }

// faultyCluster stands before a real Elasticsearch. What it spoils are searches for
// sessions: the directory and readiness stay as they are.
type faultyCluster struct {
	upstream string
	url      string
	client   *http.Client

	mu      sync.Mutex
	fault   *engineFault // nil: none
	sound   int          // searches that are still answered well
	spoilt  int          // that were not
	release chan struct{}
}

func newFaultyCluster(t *testing.T) *faultyCluster {
	t.Helper()
	f := &faultyCluster{upstream: harness.Service(t, "SCOPEGATE_TEST_ELASTICSEARCH"), client: &http.Client{Transport: &http.Transport{DisableCompression: true}}}
	server := httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(func() {
		f.end()
		server.Close()
		f.client.CloseIdleConnections()
	})
	f.url = server.URL
	return f
}

// spoiltSoFar is how many searches have met the fault.
func (f *faultyCluster) spoiltSoFar() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.spoilt
}

// begin spoils all searches for sessions but the first so many.
func (f *faultyCluster) begin(fault engineFault, sound int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.sound, f.spoilt, f.release = &fault, sound, 0, make(chan struct{})
}

// end answers well from now on, and tells how many searches were spoilt.
func (f *faultyCluster) end() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault != nil {
		close(f.release)
	}
	f.fault = nil
	return f.spoilt
}

// next is the fault that a search meets.
func (f *faultyCluster) next(r *http.Request, body []byte) *engineFault {
	isSearch := strings.HasSuffix(r.URL.Path, "/_search") && bytes.Contains(body, []byte("companyId"))
	f.mu.Lock()
	defer f.mu.Unlock()
	if !isSearch || f.fault == nil {
		return nil
	}
	if f.sound > 0 {
		f.sound--
		return nil
	}
	return f.fault
}

func (f *faultyCluster) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the gateway has gone
	}
	fault := f.next(r, body)
	request, err := http.NewRequestWithContext(r.Context(), r.Method, f.upstream+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	request.Header = r.Header.Clone()
	response, err := f.client.Do(request)
	if err != nil {
		return
	}
	defer func() { _ = response.Body.Close() }()
	a := engineAnswer{status: response.StatusCode, header: response.Header.Clone()}
	if a.body, err = io.ReadAll(response.Body); err != nil {
		return
	}
	a.header.Del("Content-Length")
	if fault == nil || fault.edit != nil && !fault.edit(&a) {
		sendAnswer(w, r, a)
		return
	}
	f.mu.Lock()
	f.spoilt++
	release := f.release
	f.mu.Unlock()
	switch {
	case fault.hangs():
		select {
		case <-release:
		case <-r.Context().Done():
		}
	case fault.send == nil:
		sendAnswer(w, r, a)
	default:
		fault.send(w, r, a)
	}
}

func sendAnswer(w http.ResponseWriter, _ *http.Request, a engineAnswer) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the gateway may have gone
}

// half sends half of the answer and ends the connection.
func half(reset bool) func(http.ResponseWriter, *http.Request, engineAnswer) {
	return func(w http.ResponseWriter, _ *http.Request, a engineAnswer) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nX-Elastic-Product: Elasticsearch\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			len(a.body), a.body[:len(a.body)/2])
		if tcp, ok := conn.(*net.TCPConn); ok && reset {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}

// other puts another answer in the place of Elasticsearch's; without its header.
func other(status int, contentType, body string, header ...string) func(*engineAnswer) bool {
	return func(a *engineAnswer) bool {
		*a = engineAnswer{status: status, header: http.Header{"Content-Type": {contentType}}, body: []byte(body)}
		for i := 0; i+1 < len(header); i += 2 {
			a.header.Set(header[i], header[i+1])
		}
		return true
	}
}

// elasticError is an error as Elasticsearch tells it.
func elasticError(status int, kind string) func(*engineAnswer) bool {
	return other(status, "application/json", fmt.Sprintf(`{"error":{"type":%q,"reason":%q,"root_cause":[{"type":%q,"reason":%q}]},"status":%d}`,
		kind, upstreamText, kind, upstreamText, status), "X-Elastic-Product", "Elasticsearch")
}

// edited changes the decoded answer; change reports whether there was something.
func edited(change func(all map[string]any) bool) func(*engineAnswer) bool {
	return func(a *engineAnswer) bool {
		var all map[string]any
		decoder := json.NewDecoder(bytes.NewReader(a.body))
		decoder.UseNumber()
		if decoder.Decode(&all) != nil || !change(all) {
			return false
		}
		text, err := json.Marshal(all)
		if err != nil {
			panic(err)
		}
		a.body = text
		return true
	}
}

// foreign makes every company of the answer one that the caller may not see.
func foreign(value any) (changed bool) {
	switch v := value.(type) {
	case []any:
		for _, inner := range v {
			changed = foreign(inner) || changed
		}
	case map[string]any:
		for key, inner := range v {
			if key != "companyId" {
				changed = foreign(inner) || changed
				continue
			}
			switch company := inner.(type) {
			case json.Number:
				v[key], changed = 9, true
			case []any:
				v[key], changed = []any{9}, true
			case map[string]any: // of a summary
				buckets, _ := company["buckets"].([]any)
				for _, b := range buckets {
					b.(map[string]any)["key"] = 9
					changed = true
				}
			}
		}
	}
	return changed
}

func engineFaults() []engineFault {
	const html = "<html><body>" + upstreamText + "</body></html>"
	within := func(all map[string]any, keys ...string) (map[string]any, bool) {
		for _, key := range keys {
			inner, ok := all[key].(map[string]any)
			if !ok {
				return nil, false
			}
			all = inner
		}
		return all, true
	}
	return []engineFault{
		{name: "a shard failed", status: 503, edit: edited(func(all map[string]any) bool {
			all["_shards"] = map[string]any{"failed": 1}
			return true
		})},
		{name: "its time was up", status: 504, edit: edited(func(all map[string]any) bool { all["timed_out"] = true; return true })},
		{name: "the count is a lower bound", status: 503, edit: edited(func(all map[string]any) bool {
			total, ok := within(all, "hits", "total")
			if ok {
				total["relation"] = "gte"
			}
			return ok
		})},
		{name: "a company that is not the caller's", status: 500, edit: edited(func(all map[string]any) bool { return foreign(all) })},
		{name: "truncated", status: 503, send: half(false)},
		{name: "reset midway", status: 503, send: half(true)},
		{name: "HTML with 200", status: 503, edit: other(200, "text/html", html)},
		{name: "HTML with 200 as Elasticsearch", status: 503, edit: other(200, "text/html", html, "X-Elastic-Product", "Elasticsearch")},
		{name: "HTML with 404", status: 503, edit: other(404, "text/html", html)},
		{name: "HTML with 500", status: 503, edit: other(500, "text/html", html)},
		{name: "HTML with 503", status: 503, edit: other(503, "text/html", html)},
		{name: "a redirect", status: 503, edit: other(302, "text/html", html, "Location", "http://"+upstreamText+".invalid/")},
		{name: "the circuit breaker", status: 503, edit: elasticError(429, "circuit_breaking_exception")},
		{name: "gzip that nobody asked for", status: 503, edit: func(a *engineAnswer) bool {
			var packed bytes.Buffer
			w := gzip.NewWriter(&packed)
			_, _ = w.Write(a.body) // a buffer takes all
			_ = w.Close()
			a.body = packed.Bytes()
			a.header.Set("Content-Encoding", "gzip")
			return true
		}},
		{name: "no product header", status: 503, edit: func(a *engineAnswer) bool { a.header.Del("X-Elastic-Product"); return true }},
		{name: "the point in time is gone", status: 503, edit: elasticError(404, "search_context_missing_exception")},
		{name: "no answer", status: 504},
	}
}

// faultedQuestion is asked while the engine is at fault.
type faultedQuestion struct {
	name   string
	target string // to be followed by a condition that makes it new to the cache
	rows   int    // of its file; 0: it is none
	exact  bool   // the same bytes come each time
	stream bool
}

// Sessions of a company tree whose exports are one batch, and some batches.
const (
	oneBatch    = 50
	someBatches = 1500
)

// faultedQuestions are asked about so many sessions.
func faultedQuestions(sessions int) []faultedQuestion {
	const list, all = "/api/v1/sessions", "?showAllSupervised=true"
	questions := []faultedQuestion{
		{name: "count", target: list + all + "&withoutItems=true", exact: true},
		{name: "page", target: list + all + "&withoutCount=true&limit=5", exact: true},
		{name: "count and page", target: list + all + "&limit=5", exact: true},
		{name: "a page as CSV", target: list + all + "&limit=5&format=CSV", rows: 5, exact: true},
		{name: "a page as XLSX", target: list + all + "&limit=5&format=XLSX", rows: 5},
		{name: "summary", target: list + "/summary" + all, exact: true},
	}
	for _, format := range []string{"JSON", "NDJSON", "CSV", "CSV_EXCEL", "XLSX"} {
		for _, zip := range []bool{false, true} {
			questions = append(questions, faultedQuestion{
				name: fmt.Sprintf("export of %s, zip %t", format, zip), rows: sessions, stream: true,
				exact:  format != "XLSX" && !zip,
				target: fmt.Sprintf("%s/export%s&fields=id,companyId&format=%s&zip=%t", list, all, format, zip),
			})
		}
	}
	return questions
}

// faultScene is a gateway on a cluster that can be at fault.
type faultScene struct {
	*harness.Gateway

	cluster *faultyCluster
	index   string
	token   string
	asked   int
}

func newFaultScene(t *testing.T, sessions int, settings ...string) *faultScene {
	t.Helper()
	at := harness.EmptyIndices(t)
	lines := []string{harness.CompanyLine(1, 0), harness.CompanyLine(2, 1), harness.CompanyLine(9, 0)}
	for n := range sessions {
		lines = append(lines, harness.SessionLine(fmt.Sprintf("s%05d", n), 1+n%2, `"startedAt": "2024-01-01T00:00:00Z", "createdAt": "2024-01-01T00:00:00Z"`))
	}
	harness.ImportLinesInto(t, at, lines...)
	s := &faultScene{cluster: newFaultyCluster(t)}
	for _, setting := range at {
		if name, ok := strings.CutPrefix(setting, "elasticsearch.index="); ok {
			s.index = name
		}
	}
	settings = append(settings, fmt.Sprintf("elasticsearch.addresses=[%q]", s.cluster.url),
		"http.request_timeout=10s", "exports.max_duration=10s", "exports.at_once=100", "exports.per_account=100", "exports.per_company=100", "limits.address.per_minute=0", "limits.account_loads=0")
	s.Gateway = harness.ServeAt(t, at, settings...)
	s.AwaitReady(t)
	s.token = s.Supervisor(t, 1)
	return s
}

// fresh is the question with a condition that changes nothing but its key.
func (s *faultScene) fresh(q faultedQuestion) string {
	s.asked++
	return q.target + fmt.Sprintf("&to=%d-01-01T00:00:00.%03dZ", 2030+s.asked/1000, s.asked%1000)
}

// sound asks while there is no fault, and returns the body, which must be right.
func (s *faultScene) sound(t *testing.T, q faultedQuestion, target string) []byte {
	t.Helper()
	r, err := s.Exchange(t.Context(), http.MethodGet, s.URL+target, s.token, nil)
	if err != nil || r.Status != http.StatusOK {
		t.Fatalf("%s without a fault: status %d, error %v: %.300s", q.name, r.Status, err, r.Body)
	}
	announced := r.Header.Get("X-Row-Count") + r.Trailer.Get("X-Row-Count")
	if q.rows > 0 && announced != strconv.Itoa(q.rows) {
		t.Errorf("%s without a fault: %q rows, want %d", q.name, announced, q.rows)
	}
	return r.Body
}

// openContexts are those of searches on the index.
func (s *faultScene) openContexts(t *testing.T) int {
	t.Helper()
	r := s.Send(t, http.MethodGet, s.cluster.upstream+"/"+s.index+"-sessions*/_stats/search?filter_path=_all.total.search.open_contexts", "", nil)
	var answer struct {
		All struct {
			Total struct {
				Search struct {
					Open int `json:"open_contexts"`
				} `json:"search"`
			} `json:"total"`
		} `json:"_all"`
	}
	if err := json.Unmarshal(r.Body, &answer); err != nil {
		t.Fatalf("%v: %s", err, r.Body)
	}
	return answer.All.Total.Search.Open
}

// leaks reports whether a reply holds something of the engine's.
func (s *faultScene) leaks(r harness.Reply) bool {
	var all strings.Builder
	_ = r.Header.Write(&all) // a builder takes all
	all.Write(r.Body)
	for _, text := range []string{upstreamText, strings.TrimPrefix(s.cluster.url, "http://"), s.index, "exception", "<html"} {
		if strings.Contains(all.String(), text) {
			return true
		}
	}
	return false
}

// faultedReply is what came of a question.
type faultedReply struct {
	question faultedQuestion
	target   string
	reply    harness.Reply
	err      error
	spoilt   int // searches; with a fault that hangs, of all questions
}

// ask asks the questions under the fault: one after another, or all at once if the
// fault is that no answer comes, which takes as long as the gateway waits.
func (s *faultScene) ask(t *testing.T, fault engineFault, questions []faultedQuestion) []faultedReply {
	t.Helper()
	replies := make([]faultedReply, len(questions))
	request := func(i int) {
		replies[i].reply, replies[i].err = s.Exchange(t.Context(), http.MethodGet, s.URL+replies[i].target, s.token, nil)
	}
	for i, q := range questions {
		replies[i].question, replies[i].target = q, s.fresh(q)
	}
	if !fault.hangs() {
		for i := range replies {
			s.cluster.begin(fault, 0)
			request(i)
			replies[i].spoilt = s.cluster.end()
		}
		return replies
	}
	s.cluster.begin(fault, 0)
	var asking sync.WaitGroup
	for i := range replies {
		asking.Go(func() { request(i) })
	}
	asking.Wait()
	spoilt := s.cluster.end()
	for i := range replies {
		replies[i].spoilt = spoilt
	}
	return replies
}

func TestAFaultOfElasticsearchIsReportedAndNeitherPassedOnNorCached(t *testing.T) {
	s := newFaultScene(t, oneBatch)
	right := map[string][]byte{}
	for _, q := range faultedQuestions(oneBatch) {
		right[q.name] = s.sound(t, q, s.fresh(q))
	}
	for _, fault := range engineFaults() {
		t.Run(fault.name, func(t *testing.T) {
			spoilt := 0
			for _, f := range s.ask(t, fault, faultedQuestions(oneBatch)) {
				q, r := f.question, f.reply
				spoilt += f.spoilt
				switch {
				case f.err != nil:
					t.Errorf("%s: %v", q.name, f.err)
				case f.spoilt == 0: // the answer has nothing that this could spoil
					if r.Status != http.StatusOK {
						t.Errorf("%s: status %d though nothing was spoilt", q.name, r.Status)
					}
				case r.Status != fault.status:
					t.Errorf("%s: status %d, want %d: %.300s", q.name, r.Status, fault.status, r.Body)
				case r.Header.Get("Content-Type") != "application/problem+json", s.leaks(r):
					t.Errorf("%s: %v %s", q.name, r.Header, r.Body)
				case r.Status == http.StatusServiceUnavailable && r.Header.Get("Retry-After") == "":
					t.Errorf("%s: no Retry-After", q.name)
				}
				if body := s.sound(t, q, f.target); q.exact && !bytes.Equal(body, right[q.name]) {
					t.Errorf("%s, the next answer: %.300s\nwant %.300s", q.name, body, right[q.name])
				}
			}
			if spoilt == 0 {
				t.Error("nothing was spoilt: the test is of no use")
			}
			harness.Eventually(t, "no search context is open", func() bool { return s.openContexts(t) == 0 })
		})
	}
}

// TestAnExportThatAFaultOfElasticsearchEndsIsBroken: what has left cannot be taken
// back, and the caller is told that it is not all.
func TestAnExportThatAFaultOfElasticsearchEndsIsBroken(t *testing.T) {
	s := newFaultScene(t, someBatches)
	exports := slices.DeleteFunc(faultedQuestions(someBatches), func(q faultedQuestion) bool { return !q.stream })
	for n, fault := range engineFaults() {
		t.Run(fault.name, func(t *testing.T) {
			spoilt, broken := 0, 0
			for i, q := range exports {
				if fault.hangs() && i != 2 {
					continue // as NDJSON alone: each takes as long as the gateway waits
				}
				s.cluster.begin(fault, 3) // the count, and the first batches
				r, err := s.Exchange(t.Context(), http.MethodGet, s.URL+s.fresh(q), s.token, nil)
				n := s.cluster.end()
				spoilt += n
				whole := err == nil && r.Status == http.StatusOK && r.Trailer.Get("X-Row-Count") == strconv.Itoa(q.rows)
				switch {
				case n == 0 && !whole:
					t.Errorf("%s: status %d, error %v though nothing was spoilt", q.name, r.Status, err)
				case n > 0 && err == nil && r.Status == http.StatusOK:
					t.Errorf("%s: the export ends as if it were whole, with trailer %v", q.name, r.Trailer)
				case n > 0 && err == nil && (r.Status != fault.status || s.leaks(r)):
					t.Errorf("%s: status %d, want %d: %.300s", q.name, r.Status, fault.status, r.Body)
				case n > 0 && err != nil && s.leaks(r):
					t.Errorf("%s: what left holds something of the engine's: %.300s", q.name, r.Body)
				}
				if err != nil {
					broken++
				}
			}
			next := exports[n%len(exports)]
			s.sound(t, next, s.fresh(next))
			changesCount := fault.name == "the count is a lower bound" // no batch has one
			if !changesCount && (spoilt == 0 || broken == 0) {
				t.Errorf("%d searches were spoilt, %d exports broken: the test is of no use", spoilt, broken)
			}
			harness.Eventually(t, "no search context is open", func() bool { return s.openContexts(t) == 0 })
		})
	}
}
