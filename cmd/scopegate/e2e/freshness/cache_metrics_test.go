package freshness_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cache/redistest"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// wantSeries waits until there is each of the series, above 0: a metric, and
// labels in their order, with anything between.
func wantSeries(t *testing.T, g *harness.Gateway, series ...string) {
	t.Helper()
	for _, words := range series {
		pattern := `^scopegate_cache_` + strings.ReplaceAll(words, " ", `[^\n]*`) + `[^\n]* `
		harness.Within(t, 5*time.Second, words, func() bool { return seriesOf(t, g, pattern) > 0 })
	}
}

func TestMetricsCountAllThatTheCacheDoes(t *testing.T) {
	redis := redistest.Start(t)
	dir := harness.SmallTree(t)
	settings := append(harness.RedisSettings(redis.Address()), "redis.budget=1s", "cache.fresh=1s", "cache.stale=10m")
	settings = append(settings, "engine=sqlite", "sqlite.dir="+dir)
	held, open := harness.NewGate(), harness.NewGate()
	open.Open()
	g, other := harness.ServeBy(t, held.Serve, settings...), harness.ServeBy(t, open.Serve, settings...)
	embedded := harness.Serve(t, dir) // the log of the others is in Redis
	const target = "/api/v1/sessions?showAllSupervised=true"
	token := g.Supervisor(t, 1)
	answers := []<-chan harness.Reply{g.Begin(t, target, token)}
	held.AwaitSearches(t, 2)
	answers = append(answers, g.Begin(t, target, token))
	harness.AwaitCallers(t, 2)
	held.Open()
	for _, answer := range answers {
		(<-answer).Page(t)
	}
	asked := 0
	// atBoth asks for something new where it is stored, then at the gateway.
	atBoth := func(between func()) {
		asked++
		fresh := fmt.Sprintf("%s&limit=%d&offset=%d", target, asked%100+1, asked/100)
		other.Get(t, fresh, other.Supervisor(t, 1)).Page(t)
		between()
		g.Get(t, fresh, token).Page(t)
	}
	until := func(series string, do func()) {
		harness.Eventually(t, series, func() bool { do(); return seriesOf(t, g, `^`+series) > 0 })
	}
	until(`scopegate_cache_lookups_total\{[^\n]*part="page"[^\n]*result="stale"[^\n]*\} `, func() { g.Get(t, target, token) })
	until(`scopegate_cache_lookups_total\{[^\n]*result="hit"[^\n]*tier="redis"[^\n]*\} `, func() { atBoth(func() {}) })
	until(`scopegate_cache_redis_refused_total\{[^\n]*reason="version"[^\n]*\} `, func() {
		atBoth(func() {
			redis.Do("EVAL", `for _, k in ipairs(redis.call('KEYS', 'scopegate:*')) do
				if redis.call('TYPE', k).ok == 'string' then redis.call('SET', k, 'x') end end return 1`, 0)
		})
	})
	wantSeries(t, g, `lookups_total part="count" result="miss"`, `lookups_total part="page" result="coalesced"`,
		`lookups_total part="page" result="stale" tier="memory"`, `age_seconds_count tier="memory"`, `age_seconds_count tier="redis"`,
		`load_duration_seconds_count outcome="ok" part="page"`, `size_bytes tier="memory"`, `entries tier="memory"`,
		`redis_duration_seconds_count operation="get" outcome="ok"`, `redis_duration_seconds_count operation="set" outcome="ok"`,
		`log_following`)
	harness.Command(t, harness.Folder(dir), nil, "invalidate", "--all")
	wantSeries(t, embedded, `log_touches_total`)
	redis.Kill()
	until(`scopegate_cache_redis_duration_seconds_count\{[^\n]*outcome="rejected"[^\n]*\} `, func() { atBoth(func() {}) })
	wantSeries(t, g, `redis_duration_seconds_count operation="get" outcome="error"`)
	wantSeries(t, g, `redis_breaker`)
	documented(t, g, embedded)
}

// documented checks that what there is can be read about.
func documented(t *testing.T, gateways ...*harness.Gateway) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range gateways {
		body := g.Send(t, http.MethodGet, g.Admin+"/metrics", "", nil).Body
		for _, family := range regexp.MustCompile(`(?m)^# TYPE (scopegate_cache_\S+)`).FindAllSubmatch(body, -1) {
			if !strings.Contains(string(text), "`"+string(family[1])+"`") {
				t.Errorf("the documentation lacks the metric %s", family[1])
			}
		}
	}
}
