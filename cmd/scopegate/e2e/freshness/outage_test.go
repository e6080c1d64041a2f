package freshness_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tcptest"
)

// load asks for different things until it is stopped, and counts what is not a
// 200.
type load struct {
	asked, failed atomic.Int64
	lastFailure   atomic.Value
	done          chan struct{}
	running       sync.WaitGroup
}

func startLoad(t *testing.T, g *harness.Gateway, token string) *load {
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
				r := g.Get(t, fmt.Sprintf("/api/v1/sessions?showAllSupervised=true&keyword=b&offset=%d", (worker+n)%20), token)
				l.asked.Add(1)
				if r.Status != http.StatusOK {
					l.failed.Add(1)
					l.lastFailure.Store(string(r.Body))
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
	harness.Eventually(t, "requests are answered", func() bool { return l.asked.Load() >= from+requests })
}

func (l *load) stop() {
	close(l.done)
	l.running.Wait()
}

// redisBack is when answers of a Redis that is back are used again.
const redisBack = 10 * time.Second

func TestARedisThatStopsUnderLoadFailsNobodyAndIsHitAgainWhenItIsBack(t *testing.T) {
	redis := tcptest.NewProxy(t, strings.TrimPrefix(harness.Service(t, "SCOPEGATE_TEST_REDIS"), "redis://"))
	dir, settings := harness.SmallTree(t), harness.RedisSettings(redis.Address)
	first, second := harness.Serve(t, dir, settings...), harness.Serve(t, dir, settings...)
	token := first.Supervisor(t, 1)
	l := startLoad(t, first, token)
	l.pass(t, 50)
	redis.Cut()
	l.pass(t, 200)
	redis.Mend()
	questions := 0
	harness.Within(t, redisBack, "the second gateway hits what the first has stored", func() bool {
		questions++
		search := fmt.Sprintf("/api/v1/sessions?showAllSupervised=true&name=nobody-%d", questions)
		first.Get(t, search, token)
		return strings.Contains(second.Get(t, search, second.Supervisor(t, 1)).Header.Get("Cache-Status"), "detail=redis")
	})
	l.stop()
	if n := l.failed.Load(); n != 0 {
		t.Errorf("%d of %d requests failed: %s", n, l.asked.Load(), l.lastFailure.Load())
	}
}

// Without Redis it is not known what has changed: nothing stands in.
func TestAnElasticsearchThatStopsIsA503WhenAnswersAreTooOld(t *testing.T) {
	at := harness.EmptyIndices(t)
	harness.PlantSmallTree(t, at)
	cluster := tcptest.NewProxy(t, strings.TrimPrefix(harness.Service(t, "SCOPEGATE_TEST_ELASTICSEARCH"), "http://"))
	g := harness.ServeAt(t, at, fmt.Sprintf(`elasticsearch.addresses=["http://%s"]`, cluster.Address), "cache.fresh=5s")
	token := g.Supervisor(t, 1)
	const search = "/api/v1/sessions?showAllSupervised=true"
	if p := g.Get(t, search, token).Page(t); p.Count != 4 {
		t.Fatalf("counts %d sessions, want 4", p.Count)
	}
	cluster.Cut()
	stopped := time.Now()
	for r := g.Get(t, search, token); r.Status != http.StatusServiceUnavailable; r = g.Get(t, search, token) {
		if p := r.Page(t); p.Count != 4 || !strings.Contains(r.Header.Get("Cache-Status"), "scopegate-page; hit") {
			t.Fatalf("without Elasticsearch: %s, %s", r.Header.Get("Cache-Status"), r.Body)
		}
		if time.Since(stopped) > 30*time.Second {
			t.Fatal("answers are served long after their time")
		}
		time.Sleep(50 * time.Millisecond)
	}
	r := g.Get(t, search, token)
	if r.Header.Get("Retry-After") == "" || r.Header.Get("Content-Type") != "application/problem+json" || strings.Contains(string(r.Body), cluster.Address) {
		t.Errorf("the 503: %v, %s", r.Header, r.Body)
	}
	if r := g.Send(t, http.MethodGet, g.Admin+"/livez", "", nil); r.Status != http.StatusOK {
		t.Errorf("livez answers %d", r.Status)
	}
	if r := g.Send(t, http.MethodGet, g.Admin+"/readyz", "", nil); r.Status != http.StatusServiceUnavailable || !strings.Contains(string(r.Body), "engine") {
		t.Errorf("readyz answers %d %s, want 503 naming the engine", r.Status, r.Body)
	}
	cluster.Mend()
	harness.Eventually(t, "searches are answered again", func() bool { return g.Get(t, search, token).Status == http.StatusOK })
}
