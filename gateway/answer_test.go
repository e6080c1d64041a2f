package gateway

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

func TestAnAnswerHasTheKeysThatWereAskedFor(t *testing.T) {
	s := newStage(t)
	for _, tt := range []struct{ query, want string }{
		{"?limit=2", `{"count":8,"items":[{"id":"s100"},{"id":"s104"}]}`},
		{"?limit=1&withoutCount=true", `{"items":[{"id":"s100"}]}`},
		{"?withoutItems=true", `{"count":8}`},
		{"?offset=100", `{"count":8,"items":[]}`},
		{"?showAllSupervised=true&limit=3", `{"count":24,"items":[{"id":"s100"},{"id":"s101"},{"id":"s102"}]}`},
		{"?companyId=3&limit=1", `{"count":8,"items":[{"id":"s101"}]}`},
	} {
		t.Run(tt.query, func(t *testing.T) {
			r := s.get(t, "/api/v1/sessions"+tt.query, s.supervisor(t))
			if r.StatusCode != http.StatusOK || string(r.body) != tt.want {
				t.Errorf("%d %s, want %s", r.StatusCode, r.body, tt.want)
			}
			if got := r.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
				t.Errorf("Content-Type = %q", got)
			}
		})
	}
}

func TestSearchByBodyAnswersAsByURL(t *testing.T) {
	s := newStage(t)
	byURL := s.get(t, "/api/v1/sessions?limit=3&companyIds=2,10", s.supervisor(t))
	byBody := s.post(t, "/api/v1/sessions/search", s.supervisor(t), `{"limit":3,"companyIds":[2,10]}`)
	if !bytes.Equal(byURL.body, byBody.body) || byBody.StatusCode != http.StatusOK {
		t.Errorf("by body: %d %s, by URL: %s", byBody.StatusCode, byBody.body, byURL.body)
	}
	if diff := cmp.Diff(byURL.Header.Get("ETag"), byBody.Header.Get("ETag")); diff != "" {
		t.Error(diff)
	}
}

// everyHeader are those of the contract's "Headers on every answer".
func checkEveryHeader(t *testing.T, r reply) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Request-Id":  `^[0-9a-f-]{36}$`,
		"Traceresponse": `^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$`,
		"Cache-Control": `^private, no-cache$`,
		"Vary":          `^Authorization(, Origin)?(, Accept-Encoding)?$`,
	} {
		if got := r.Header.Get(name); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s = %q, want %s", name, got, want)
		}
	}
}

func TestEveryAnswerCarriesTheCommonHeaders(t *testing.T) {
	s := newStage(t)
	token := s.supervisor(t)
	for _, tt := range []struct {
		method, path, token string
		status              int
	}{
		{"GET", "/api/v1/sessions", token, 200},
		{"HEAD", "/api/v1/sessions", token, 200},
		{"GET", "/api/v1/sessions?limit=0", token, 400},
		{"GET", "/api/v1/sessions", "", 401},
		{"GET", "/api/v1/sessions?companyId=20", token, 403},
		{"GET", "/api/v1/sessions/summary", token, 200},
		{"HEAD", "/api/v1/sessions/summary", token, 200},
		{"GET", "/api/v1/sessions/summary?limit=10", token, 400},
		{"GET", "/api/v1/sessions/summary", "", 401},
		{"GET", "/api/v1/sessions/s100", token, 200},
		{"GET", "/api/v1/sessions/nothing", token, 404},
		{"GET", "/api/v1/companies", token, 200},
		{"GET", "/api/v1/me", token, 200},
		{"GET", "/nowhere", "", 404},
		{"GET", "/api/v1/sessions/", "", 404},
		{"PUT", "/api/v1/me", "", 405},
		{"GET", "/openapi.yaml", "", 200},
		{"GET", "/docs", "", 200},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			r := s.do(t, tt.method, tt.path, tt.token, "")
			if r.StatusCode != tt.status {
				t.Errorf("status = %d, want %d", r.StatusCode, tt.status)
			}
			checkEveryHeader(t, r)
		})
	}
}

func TestCacheStatusSaysHowASearchWasAnswered(t *testing.T) {
	s := newStage(t)
	now := time.Now()
	s.searcher.count = search.Provenance{Tier: "memory", TTL: 4900 * time.Millisecond, LoadedAt: now.Add(-7 * time.Second)}
	s.searcher.page = search.Provenance{Stored: true, Took: 3 * time.Microsecond, Queued: 2 * time.Microsecond}
	h := s.get(t, "/api/v1/sessions?limit=1", s.supervisor(t)).Header
	if got, want := h.Values("Cache-Status"), []string{"scopegate-count; hit; ttl=4; detail=memory, scopegate-page; fwd=miss; stored"}; !cmp.Equal(got, want) {
		t.Errorf("Cache-Status = %q, want %q", got, want)
	}
	if got := h.Get("Age"); got != "7" {
		t.Errorf("Age = %q, want 7", got)
	}
	const timing = `^auth;dur=[\d.]+, limit;dur=[\d.]+, scope;dur=[\d.]+, cache;dur=[\d.]+, queue;dur=0.002, search;dur=0.003, encode;dur=[\d.]+$`
	if got := h.Get("Server-Timing"); !regexp.MustCompile(timing).MatchString(got) {
		t.Errorf("Server-Timing = %q", got)
	}
}

func TestCacheStatusNamesEachAskedPart(t *testing.T) {
	hit := search.Provenance{Tier: "redis", TTL: -1500 * time.Millisecond}
	outage := search.Provenance{Tier: "memory", TTL: -5 * time.Minute, Outage: true}
	for _, tt := range []struct {
		name   string
		q      search.Query
		r      search.Result
		fresh  bool
		want   string
		age    int
		cached bool
	}{
		{"both from the engine", search.Query{}, search.Result{}, false, "scopegate-count; fwd=miss, scopegate-page; fwd=miss", 0, false},
		{"no count", search.Query{WithoutCount: true}, search.Result{}, false, "scopegate-page; fwd=miss", 0, false},
		{"no page", search.Query{WithoutItems: true}, search.Result{}, false, "scopegate-count; fwd=miss", 0, false},
		{"for want of an engine", search.Query{WithoutItems: true}, search.Result{Count: search.Count{Provenance: outage}}, false, "scopegate-count; hit; ttl=-300; detail=memory-stale-if-error", 0, false},
		{"a stale hit", search.Query{WithoutItems: true}, search.Result{Count: search.Count{Provenance: hit}}, false, "scopegate-count; hit; ttl=-2; detail=redis", 0, false},
		{"a shared load", search.Query{WithoutItems: true}, search.Result{Count: search.Count{Provenance: search.Provenance{Shared: true, Stored: true}}}, false, "scopegate-count; fwd=miss; stored; collapsed", 0, false},
		{"asked for afresh", search.Query{WithoutItems: true}, search.Result{Count: search.Count{Provenance: search.Provenance{Stored: true}}}, true, "scopegate-count; fwd=request; stored", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := cacheStatus(newComponents(tt.q, tt.r, tt.fresh)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAgeIsThatOfTheOlderCachedPart(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	old := search.Provenance{Tier: "memory", LoadedAt: now.Add(-9500 * time.Millisecond)}
	young := search.Provenance{Tier: "memory", LoadedAt: now.Add(-2 * time.Second)}
	engine := search.Provenance{LoadedAt: now.Add(-time.Hour)}
	for _, tt := range []struct {
		name  string
		parts []component
		want  int
		ok    bool
	}{
		{"both cached", []component{{provenance: young}, {provenance: old}}, 9, true},
		{"one cached", []component{{provenance: engine}, {provenance: young}}, 2, true},
		{"none cached", []component{{provenance: engine}}, 0, false},
		{"none asked", nil, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := oldestAge(tt.parts, now); got != tt.want || ok != tt.ok {
				t.Errorf("got %d, %t, want %d, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestHowOldAnAnswerMayBeReachesTheSearcher(t *testing.T) {
	type mark struct{}
	var marked []any
	s := newStage(t, func(o *Options) {
		o.WithMaxAge = func(ctx context.Context, age time.Duration) context.Context {
			return context.WithValue(ctx, mark{}, age)
		}
	})
	s.searcher.answer = func(ctx context.Context, _ tenancy.Scope, _ search.Query) (search.Result, error) {
		marked = append(marked, ctx.Value(mark{}))
		return search.Result{}, nil
	}
	plain := s.get(t, "/api/v1/sessions", s.supervisor(t), "Cache-Control", "max-stale=5")
	s.get(t, "/api/v1/sessions", s.supervisor(t), "Cache-Control", "max-age=10")
	fresh := s.get(t, "/api/v1/sessions", s.supervisor(t), "Cache-Control", "max-age=0")
	if want := []any{nil, 10 * time.Second, time.Duration(0)}; !cmp.Equal(marked, want) {
		t.Errorf("marked %v, want %v", marked, want)
	}
	if got := plain.Header.Get("Cache-Status"); strings.Contains(got, "fwd=request") {
		t.Errorf("plain: Cache-Status = %q", got)
	}
	if got := fresh.Header.Get("Cache-Status"); !strings.Contains(got, "fwd=request") {
		t.Errorf("fresh: Cache-Status = %q", got)
	}
}

func TestACallerSaysHowOldAnAnswerMayBe(t *testing.T) {
	const unbounded = -1
	for _, tt := range []struct {
		name string
		want time.Duration
		said []string
	}{
		{"Cache-Control", unbounded, []string{"", "max-stale=5", "no-store", "xmax-age=0", "s-maxage=0", "no-cached"}},
		{"Cache-Control", 0, []string{
			"no-cache", "No-Cache", "max-age=0", "MAX-AGE=0", "max-age=0, must-revalidate", "private,max-age=0", " max-age = 0 ", "max-age=\"0\"", "max-age=00",
			"max-age=60, no-cache", "no-cache, max-age=60", "max-age=60, max-age=0", "max-age", "max-age=", "max-age=soon", "max-age=-1",
		}},
		{"Cache-Control", 5 * time.Second, []string{"max-age=5", "max-age=60,max-age=5", `Max-Age="5"`}},
		{"Cache-Control", (1<<32 - 1) * time.Second, []string{"max-age=99999999999999999999"}},
		{"Pragma", 0, []string{"no-cache", "x, No-Cache"}},
		{"Pragma", unbounded, []string{"", "x", "max-age=0"}},
	} {
		for _, said := range tt.said {
			age, bounded := maxAge(http.Header{tt.name: {said}})
			if bounded != (tt.want != unbounded) || bounded && age != tt.want {
				t.Errorf("%s: %s: %s, %t", tt.name, said, age, bounded)
			}
		}
	}
	if age, bounded := maxAge(http.Header{"Cache-Control": {"private", "max-age=0"}, "Pragma": {"no-cache"}}); !bounded || age != 0 {
		t.Errorf("in two lines: %s, %t", age, bounded)
	}
	if _, bounded := maxAge(http.Header{"Cache-Control": {"max-stale"}, "Pragma": {"no-cache"}}); bounded {
		t.Error("Pragma counts beside Cache-Control")
	}
}

func TestAnAnswerTheCallerHasIsNotSentAgain(t *testing.T) {
	s := newStage(t)
	token := s.supervisor(t)
	for _, path := range []string{"/api/v1/sessions?limit=2", "/api/v1/sessions/s100", "/api/v1/companies", "/api/v1/me"} {
		t.Run(path, func(t *testing.T) {
			first := s.get(t, path, token)
			etag := first.Header.Get("ETag")
			if !strings.HasPrefix(etag, `W/"`) {
				t.Fatalf("ETag = %q, want a weak one", etag)
			}
			for _, condition := range []string{etag, `"other", ` + etag, strings.TrimPrefix(etag, "W/"), strings.TrimSuffix(etag, `"`) + `-gzip"`, "*"} {
				again := s.get(t, path, token, "If-None-Match", condition)
				if again.StatusCode != http.StatusNotModified || len(again.body) > 0 {
					t.Fatalf("If-None-Match: %s: %d %s", condition, again.StatusCode, again.body)
				}
				for name := range first.Header {
					switch name {
					case "Content-Type", "Content-Length":
						if again.Header.Get(name) != "" {
							t.Errorf("a 304 has %s", name)
						}
					default:
						if again.Header.Get(name) == "" {
							t.Errorf("the 304 lacks %s", name)
						}
					}
				}
			}
			if r := s.get(t, path, token, "If-None-Match", `W/"other"`); r.StatusCode != http.StatusOK {
				t.Errorf("another tag: %d", r.StatusCode)
			}
		})
	}
	first := s.post(t, "/api/v1/sessions/search", token, `{"limit":1}`)
	if r := s.post(t, "/api/v1/sessions/search", token, `{"limit":1}`, "If-None-Match", first.Header.Get("ETag")); r.StatusCode != http.StatusNotModified {
		t.Errorf("by body: %d", r.StatusCode)
	}
}

func TestIfNoneMatchIsReadAsAList(t *testing.T) {
	const tag = `W/"abc"`
	for _, tt := range []struct {
		header []string
		want   bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{`W/"abc"`}, true},
		{[]string{`"abc"`}, true},
		{[]string{`"x,y", "abc"`}, true},
		{[]string{`"x"`, `W/"abc"`}, true},
		{[]string{`"x",,W/"abc"`}, true},
		{[]string{" * "}, false},
		{[]string{"*"}, true},
		{[]string{"abc"}, false},
		{[]string{`"abc`}, false},
		{[]string{`w/"abc"`}, false},
		{[]string{`"abcd"`}, false},
		// As proxies that compress have changed it.
		{[]string{`W/"abc-gzip"`}, true},
		{[]string{`"abc-gzip"`}, true},
		{[]string{`"abc--gzip"`}, true},
		{[]string{`"abc;gzip"`}, true},
		{[]string{`"abc";gzip`}, true},
		{[]string{`"abc:br"`}, true},
		{[]string{`W/"abc-GZIP"`}, true},
		{[]string{`"abc-zstd"`}, true},
		{[]string{`"abc-gzip-gzip"`}, true},
		{[]string{`"x-gzip", W/"abc-br"`}, true},
		{[]string{`"abcgzip"`}, false},
		{[]string{`"abc-"`}, false},
		{[]string{`"abc-gzip-"`}, false},
		{[]string{`"abc-gzipped"`}, false},
		{[]string{`"abc-other"`}, false},
		{[]string{`"x-gzip"`}, false},
		{[]string{`"-gzip"`}, false},
		{[]string{`""`}, false},
	} {
		t.Run(fmt.Sprint(tt.header), func(t *testing.T) {
			if got := matchesETag(tt.header, tag); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestGzipIsUsedWhenAskedFor(t *testing.T) {
	s := newStage(t)
	wide := json.RawMessage(`{"name":"` + strings.Repeat("x", 4000) + `"}`)
	s.searcher.answer = func(context.Context, tenancy.Scope, search.Query) (search.Result, error) {
		return search.Result{Count: search.Count{Total: 1}, Page: search.Page{Rows: []search.Row{{CompanyID: ownCompany, JSON: wide}}}}, nil
	}
	plain := s.get(t, "/api/v1/sessions", s.supervisor(t))
	packed := s.get(t, "/api/v1/sessions", s.supervisor(t), "Accept-Encoding", "br, gzip;q=0.8")
	if got := plain.Header.Get("Content-Encoding"); got != "" {
		t.Errorf("unasked Content-Encoding = %q", got)
	}
	if got := packed.Header.Get("Content-Encoding"); got != "gzip" {
		t.Fatalf("Content-Encoding = %q", got)
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed.body))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(unpacked, plain.body) {
		t.Error("the compressed answer differs from the plain one")
	}
	if plain.Header.Get("Vary") != "Authorization, Accept-Encoding" || plain.Header.Get("ETag") != packed.Header.Get("ETag") {
		t.Errorf("Vary %q, ETags %q and %q", plain.Header.Get("Vary"), plain.Header.Get("ETag"), packed.Header.Get("ETag"))
	}
}

func TestAcceptEncodingIsWeighed(t *testing.T) {
	for header, want := range map[string]bool{
		"":                           false,
		"gzip":                       true,
		"GZIP":                       true,
		"x-gzip":                     true,
		"gzip;q=0":                   false,
		"gzip; q=0.000":              false,
		"gzip;q=0.5":                 true,
		"gzip;q=0.5, identity;q=0.7": false,
		"gzip;q=0.7, identity;q=0.5": true,
		"*":                          true,
		"*;q=0":                      false,
		"gzip;q=0, *":                false,
		"identity":                   false,
		"br, deflate":                false,
		"gzip;q=nonsense":            false,
		"gzip;q=2":                   false,
		"gzip;q=NaN":                 false,
		"deflate, gzip;Q=1.0, *;q=0": true,
	} {
		t.Run(header, func(t *testing.T) {
			if got := acceptsGzip([]string{header}); got != want {
				t.Errorf("got %t", got)
			}
		})
	}
}
