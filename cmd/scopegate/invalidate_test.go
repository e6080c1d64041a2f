package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// followed is a place whose changes gateways are told of, and the settings of
// the gateways.
func followed(t *testing.T, engine string) (at place, bounds []string) {
	t.Helper()
	at = engines()[engine](t)
	at = append(at, sharedTierSettings(strings.TrimPrefix(service(t, "SCOPEGATE_TEST_REDIS"), "redis://"))...)
	return at, []string{"cache.fresh=1m", "cache.stale=10m"}
}

// heard is how soon gateways answer anew what was touched: a second, on a
// machine that has nothing else to do.
const heard = 10 * time.Second

func TestWhatAnImportChangesIsAnsweredAnewByAllGatewaysAndTheRestIsNot(t *testing.T) {
	for engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			at, bounds := followed(t, engine)
			plantSmallTree(t, at)
			gateways := []*servedGateway{serveAt(t, at, bounds...), serveAt(t, at, bounds...)}
			ask := func(g *servedGateway, company int) reply {
				return g.get(t, fmt.Sprintf("/api/v1/sessions?companyId=%d", company), g.supervisor(t, 1))
			}
			for _, g := range gateways {
				for _, company := range []int{1, 2, 3} {
					eventually(t, "it is a hit", func() bool {
						return strings.Contains(ask(g, company).header.Get("Cache-Status"), "scopegate-page; hit")
					})
				}
			}
			importLinesInto(t, at, sessionLine("b", 3, `"name": "Bob"`)) // from 2
			for _, g := range gateways {
				within(t, heard, "both its companies are answered anew", func() bool {
					return ask(g, 2).page(t).Count == 1 && ask(g, 3).page(t).Count == 2
				})
				if r := ask(g, 1); !strings.Contains(r.header.Get("Cache-Status"), "scopegate-page; hit") {
					t.Errorf("company 1: %s", r.header.Get("Cache-Status"))
				}
			}
			renewed := func(g *servedGateway, company int) {
				t.Helper()
				within(t, heard, "it is loaded anew", func() bool {
					return !strings.Contains(ask(g, company).header.Get("Cache-Status"), "scopegate-page; hit; ttl=5")
				})
			}
			time.Sleep(touchPause)
			command(t, at, nil, "invalidate", "--company", "1")
			renewed(gateways[0], 1)
			time.Sleep(touchPause)
			command(t, at, nil, "invalidate", "--all")
			renewed(gateways[0], 3)
		})
	}
}

// touchPause is when the gateways have taken in what they were told of before.
const touchPause = 600 * time.Millisecond

func TestInvalidateSaysWhatItNeeds(t *testing.T) {
	for name, tt := range map[string]struct {
		at   place
		args []string
		says string
	}{
		"nothing":    {emptyFolder(t), nil, "either --company or --all"},
		"both":       {emptyFolder(t), []string{"--all", "--company", "1"}, "either --company or --all"},
		"no company": {emptyFolder(t), []string{"--company", "0"}, "--company must be 1 to"},
		"no Redis":   {place{"engine=elasticsearch", `elasticsearch.addresses=["http://127.0.0.1:1"]`}, []string{"--all"}, "redis.addresses is not set"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), slices.Concat([]string{"invalidate"}, tt.args, tt.at.flags()), nil, streams{out: io.Discard, err: io.Discard})
			var exit *exitError
			if !errors.As(err, &exit) || exit.code != exitUsage || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want a wrong usage that says %q", err, tt.says)
			}
		})
	}
}

func TestAnElasticsearchThatStopsIsStoodInForByWhatNoChangeHasTouched(t *testing.T) {
	at, _ := followed(t, "Elasticsearch")
	plantSmallTree(t, at)
	cluster := newWire(t, strings.TrimPrefix(service(t, "SCOPEGATE_TEST_ELASTICSEARCH"), "http://"))
	g := serveAt(t, at, fmt.Sprintf(`elasticsearch.addresses=["http://%s"]`, cluster.address),
		"cache.fresh=1s", "cache.stale=1s", "cache.stale_if_error=10m", "directory.max_stale=10m")
	token := g.supervisor(t, 1)
	ask := func(company int) reply { return g.get(t, fmt.Sprintf("/api/v1/sessions?companyId=%d", company), token) }
	for _, company := range []int{2, 3} {
		eventually(t, "it is a hit", func() bool { return strings.Contains(ask(company).header.Get("Cache-Status"), "; hit") })
	}
	cluster.cut()
	eventually(t, "an older answer stands in", func() bool {
		r := ask(2)
		if p := r.page(t); p.Count != 2 {
			t.Fatalf("it counts %d sessions, want 2", p.Count)
		}
		return strings.Contains(r.header.Get("Cache-Status"), "scopegate-page; hit; ttl=-") &&
			strings.Contains(r.header.Get("Cache-Status"), "-stale-if-error") && r.header.Get("Age") != ""
	})
	command(t, at, nil, "invalidate", "--company", "2")
	within(t, heard, "what was touched is a 503", func() bool { return ask(2).status == http.StatusServiceUnavailable })
	if r := ask(3); r.page(t).Count != 1 {
		t.Errorf("what was not touched: %s", r.body)
	}
	cluster.mend()
	eventually(t, "it is answered again", func() bool { return ask(2).status == http.StatusOK })
}
