package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// wire leads to a real server and can be cut, as if the server had stopped.
type wire struct {
	tb       testing.TB
	address  string // stays the same
	upstream string

	left atomic.Int64 // bytes from the server until it is cut by itself; 0: any number

	mu       sync.Mutex
	listener net.Listener // nil: cut
	ends     map[net.Conn]bool
	running  sync.WaitGroup
}

func newWire(tb testing.TB, upstream string) *wire {
	tb.Helper()
	w := &wire{tb: tb, address: "127.0.0.1:0", upstream: upstream}
	w.mend()
	tb.Cleanup(w.cut)
	return w
}

// cut refuses connections and resets those that are open.
func (w *wire) cut() {
	w.sever()
	w.running.Wait()
}

// cutAfter cuts when so many more bytes have come from the server.
func (w *wire) cutAfter(bytes int64) { w.left.Store(bytes) }

func (w *wire) sever() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.listener != nil {
		_ = w.listener.Close()
		w.listener = nil
	}
	for end := range w.ends {
		_ = end.Close()
	}
}

// rationed is what comes from the server.
type rationed struct {
	io.Reader

	wire *wire
}

func (r rationed) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if r.wire.left.Load() > 0 && r.wire.left.Add(-int64(n)) <= 0 {
		r.wire.left.Store(0)
		r.wire.sever()
		return 0, io.EOF
	}
	return n, err
}

func (w *wire) mend() {
	w.tb.Helper()
	listener, err := net.Listen("tcp", w.address)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listener, w.address, w.ends = listener, listener.Addr().String(), map[net.Conn]bool{}
	w.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			w.running.Go(func() { w.carry(conn) })
		}
	})
}

func (w *wire) carry(from net.Conn) {
	defer func() { _ = from.Close() }()
	to, err := net.Dial("tcp", w.upstream)
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	w.mu.Lock()
	whole := w.listener != nil
	if whole {
		w.ends[from], w.ends[to] = true, true
	}
	w.mu.Unlock()
	if !whole {
		return
	}
	w.running.Go(func() { _, _ = io.Copy(to, from); _ = to.Close() })
	_, _ = io.Copy(from, rationed{to, w})
}

// load asks for different things until it is stopped, and counts what is not a
// 200.
type load struct {
	asked, failed atomic.Int64
	lastFailure   atomic.Value
	done          chan struct{}
	running       sync.WaitGroup
}

func startLoad(t *testing.T, g *servedGateway, token string) *load {
	t.Helper()
	l := &load{done: make(chan struct{})}
	for worker := range 4 {
		l.running.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-l.done:
					return
				default:
				}
				r := g.get(t, fmt.Sprintf("/api/v1/sessions?showAllSupervised=true&keyword=b&offset=%d", (worker+n)%20), token)
				l.asked.Add(1)
				if r.status != http.StatusOK {
					l.failed.Add(1)
					l.lastFailure.Store(string(r.body))
				}
			}
		})
	}
	return l
}

// pass waits until so many more requests were answered.
func (l *load) pass(t *testing.T, requests int64) {
	t.Helper()
	from := l.asked.Load()
	eventually(t, "requests are answered", func() bool { return l.asked.Load() >= from+requests })
}

func (l *load) stop() {
	close(l.done)
	l.running.Wait()
}

// eventually waits for what takes its time, and fails the test when it takes
// longer than any machine would.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	within(t, time.Minute, what, is)
}

// within waits for what is promised to come by then.
func within(t *testing.T, bound time.Duration, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(bound); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("not within %s: %s", bound, what)
}

// redisBack is when answers of a Redis that is back are used again.
const redisBack = 10 * time.Second

func TestARedisThatStopsUnderLoadFailsNobodyAndIsHitAgainWhenItIsBack(t *testing.T) {
	redis := newWire(t, strings.TrimPrefix(service(t, "SCOPEGATE_TEST_REDIS"), "redis://"))
	dir, settings := smallTree(t), sharedTierSettings(redis.address)
	first, second := serve(t, dir, settings...), serve(t, dir, settings...)
	token := first.supervisor(t, 1)
	l := startLoad(t, first, token)
	l.pass(t, 50)
	redis.cut()
	l.pass(t, 200)
	redis.mend()
	questions := 0
	within(t, redisBack, "the second gateway hits what the first has stored", func() bool {
		questions++
		search := fmt.Sprintf("/api/v1/sessions?showAllSupervised=true&name=nobody-%d", questions)
		first.get(t, search, token)
		return strings.Contains(second.get(t, search, second.supervisor(t, 1)).header.Get("Cache-Status"), "detail=redis")
	})
	l.stop()
	if n := l.failed.Load(); n != 0 {
		t.Errorf("%d of %d requests failed: %s", n, l.asked.Load(), l.lastFailure.Load())
	}
}

// Without Redis it is not known what has changed: nothing stands in.
func TestAnElasticsearchThatStopsIsA503WhenAnswersAreTooOld(t *testing.T) {
	at := emptyIndices(t)
	plantSmallTree(t, at)
	cluster := newWire(t, strings.TrimPrefix(service(t, "SCOPEGATE_TEST_ELASTICSEARCH"), "http://"))
	g := serveAt(t, at, fmt.Sprintf(`elasticsearch.addresses=["http://%s"]`, cluster.address), "cache.fresh=5s")
	token := g.supervisor(t, 1)
	const search = "/api/v1/sessions?showAllSupervised=true"
	if p := g.get(t, search, token).page(t); p.Count != 4 {
		t.Fatalf("counts %d sessions, want 4", p.Count)
	}
	cluster.cut()
	stopped := time.Now()
	for r := g.get(t, search, token); r.status != http.StatusServiceUnavailable; r = g.get(t, search, token) {
		if p := r.page(t); p.Count != 4 || !strings.Contains(r.header.Get("Cache-Status"), "scopegate-page; hit") {
			t.Fatalf("without Elasticsearch: %s, %s", r.header.Get("Cache-Status"), r.body)
		}
		if time.Since(stopped) > 30*time.Second {
			t.Fatal("answers are served long after their time")
		}
		time.Sleep(50 * time.Millisecond)
	}
	r := g.get(t, search, token)
	if r.header.Get("Retry-After") == "" || r.header.Get("Content-Type") != "application/problem+json" || strings.Contains(string(r.body), cluster.address) {
		t.Errorf("the 503: %v, %s", r.header, r.body)
	}
	if r := g.send(t, http.MethodGet, g.admin+"/livez", "", nil); r.status != http.StatusOK {
		t.Errorf("livez answers %d", r.status)
	}
	if r := g.send(t, http.MethodGet, g.admin+"/readyz", "", nil); r.status != http.StatusServiceUnavailable || !strings.Contains(string(r.body), "engine") {
		t.Errorf("readyz answers %d %s, want 503 naming the engine", r.status, r.body)
	}
	cluster.mend()
	eventually(t, "searches are answered again", func() bool { return g.get(t, search, token).status == http.StatusOK })
}
