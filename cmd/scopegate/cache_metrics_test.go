package main

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
)

// wantSeries waits until there is each of the series, above 0: a metric, and
// labels in their order, with anything between.
func wantSeries(t *testing.T, g *servedGateway, series ...string) {
	t.Helper()
	for _, words := range series {
		pattern := `^scopegate_cache_` + strings.ReplaceAll(words, " ", `[^\n]*`) + `[^\n]* `
		within(t, 5*time.Second, words, func() bool { return seriesOf(t, g, pattern) > 0 })
	}
}

func TestMetricsTellAllThatTheCacheDoes(t *testing.T) {
	redis := redistest.Start(t)
	dir := smallTree(t)
	settings := append(sharedTierSettings(redis.Address()), "redis.budget=1s", "cache.fresh=1s", "cache.stale=10m")
	settings = append(settings, "engine=sqlite", "sqlite.dir="+dir)
	held, open := newGate(), newGate()
	open.open()
	g, other := serveBy(t, held.serve, settings...), serveBy(t, open.serve, settings...)
	embedded := serve(t, dir) // the log of the others is in Redis
	const target = "/api/v1/sessions?showAllSupervised=true"
	token := g.supervisor(t, 1)
	answers := []<-chan reply{g.begin(t, target, token)}
	held.awaitSearches(t, 2)
	answers = append(answers, g.begin(t, target, token))
	awaitCallers(t, 2)
	held.open()
	for _, answer := range answers {
		(<-answer).page(t)
	}
	asked := 0
	// atBoth asks for something new where it is stored, then at the gateway.
	atBoth := func(between func()) {
		asked++
		fresh := fmt.Sprintf("%s&limit=%d&offset=%d", target, asked%100+1, asked/100)
		other.get(t, fresh, other.supervisor(t, 1)).page(t)
		between()
		g.get(t, fresh, token).page(t)
	}
	until := func(series string, do func()) {
		eventually(t, series, func() bool { do(); return seriesOf(t, g, `^`+series) > 0 })
	}
	until(`scopegate_cache_lookups_total\{[^\n]*part="page"[^\n]*result="stale"[^\n]*\} `, func() { g.get(t, target, token) })
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
	command(t, folder(dir), nil, "invalidate", "--all")
	wantSeries(t, embedded, `log_touches_total`)
	redis.Kill()
	until(`scopegate_cache_redis_duration_seconds_count\{[^\n]*outcome="rejected"[^\n]*\} `, func() { atBoth(func() {}) })
	wantSeries(t, g, `redis_duration_seconds_count operation="get" outcome="error"`)
	wantSeries(t, g, `redis_breaker`)
	documented(t, g, embedded)
}

// documented checks that what there is can be read about.
func documented(t *testing.T, gateways ...*servedGateway) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range gateways {
		body := g.send(t, http.MethodGet, g.admin+"/metrics", "", nil).body
		for _, family := range regexp.MustCompile(`(?m)^# TYPE (scopegate_cache_\S+)`).FindAllSubmatch(body, -1) {
			if !strings.Contains(string(text), "`"+string(family[1])+"`") {
				t.Errorf("the documentation lacks the metric %s", family[1])
			}
		}
	}
}
