package freshness_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tcptest"
)

func TestWhatAnImportChangesIsAnsweredAnewByAllGatewaysAndTheRestIsNot(t *testing.T) {
	for engine := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at, bounds := harness.WithRedis(t, engine)
			harness.PlantSmallTree(t, at)
			gateways := []*harness.Gateway{harness.ServeAt(t, at, bounds...), harness.ServeAt(t, at, bounds...)}
			ask := func(g *harness.Gateway, company int) harness.Reply {
				return g.Get(t, fmt.Sprintf("/api/v1/sessions?companyId=%d", company), g.Supervisor(t, 1))
			}
			for _, g := range gateways {
				for _, company := range []int{1, 2, 3} {
					harness.Eventually(t, "it is a hit", func() bool {
						return strings.Contains(ask(g, company).Header.Get("Cache-Status"), "scopegate-page; hit")
					})
				}
			}
			harness.ImportLinesInto(t, at, harness.SessionLine("b", 3, `"name": "Bob"`)) // from 2
			for _, g := range gateways {
				harness.Within(t, harness.Heard, "both its companies are answered anew", func() bool {
					return ask(g, 2).Page(t).Count == 1 && ask(g, 3).Page(t).Count == 2
				})
				if r := ask(g, 1); !strings.Contains(r.Header.Get("Cache-Status"), "scopegate-page; hit") {
					t.Errorf("company 1: %s", r.Header.Get("Cache-Status"))
				}
			}
			renewed := func(g *harness.Gateway, company int) {
				t.Helper()
				harness.Within(t, harness.Heard, "it is loaded anew", func() bool {
					return !strings.Contains(ask(g, company).Header.Get("Cache-Status"), "scopegate-page; hit; ttl=5")
				})
			}
			time.Sleep(publishPause)
			harness.Command(t, at, nil, "invalidate", "--company", "1")
			renewed(gateways[0], 1)
			time.Sleep(publishPause)
			harness.Command(t, at, nil, "invalidate", "--all")
			renewed(gateways[0], 3)
		})
	}
}

// publishPause is when the gateways have taken in what they were told of before.
const publishPause = 600 * time.Millisecond

func TestInvalidateSaysWhatItNeeds(t *testing.T) {
	for name, tt := range map[string]struct {
		at   harness.Place
		args []string
		says string
	}{
		"nothing":    {harness.EmptyFolder(t), nil, "either --company or --all"},
		"both":       {harness.EmptyFolder(t), []string{"--all", "--company", "1"}, "either --company or --all"},
		"no company": {harness.EmptyFolder(t), []string{"--company", "0"}, "--company must be 1 to"},
		"no Redis":   {harness.Place{"engine=elasticsearch", `elasticsearch.addresses=["http://127.0.0.1:1"]`}, []string{"--all"}, "redis.addresses is not set"},
	} {
		t.Run(name, func(t *testing.T) {
			err := cli.Run(t.Context(), slices.Concat([]string{"invalidate"}, tt.args, tt.at.Flags()), nil, cli.Streams{Out: io.Discard, Err: io.Discard})
			if cli.ExitCode(err, io.Discard) != cli.ExitUsage || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want a wrong usage that says %q", err, tt.says)
			}
		})
	}
}

func TestAnElasticsearchThatStopsLeavesAnswersThatNoChangeHasInvalidated(t *testing.T) {
	at, _ := harness.WithRedis(t, "Elasticsearch")
	harness.PlantSmallTree(t, at)
	cluster := tcptest.NewProxy(t, strings.TrimPrefix(harness.Service(t, "SCOPEGATE_TEST_ELASTICSEARCH"), "http://"))
	g := harness.ServeAt(t, at, fmt.Sprintf(`elasticsearch.addresses=["http://%s"]`, cluster.Address),
		"cache.fresh=1s", "cache.stale=1s", "cache.stale_if_error=10m", "directory.max_stale=10m")
	token := g.Supervisor(t, 1)
	ask := func(company int) harness.Reply {
		return g.Get(t, fmt.Sprintf("/api/v1/sessions?companyId=%d", company), token)
	}
	for _, company := range []int{2, 3} {
		harness.Eventually(t, "it is a hit", func() bool { return strings.Contains(ask(company).Header.Get("Cache-Status"), "; hit") })
	}
	cluster.Cut()
	harness.Eventually(t, "an older answer stands in", func() bool {
		r := ask(2)
		if p := r.Page(t); p.Count != 2 {
			t.Fatalf("it counts %d sessions, want 2", p.Count)
		}
		return strings.Contains(r.Header.Get("Cache-Status"), "scopegate-page; hit; ttl=-") &&
			strings.Contains(r.Header.Get("Cache-Status"), "-stale-if-error") && r.Header.Get("Age") != ""
	})
	harness.Command(t, at, nil, "invalidate", "--company", "2")
	harness.Within(t, harness.Heard, "what was touched is a 503", func() bool { return ask(2).Status == http.StatusServiceUnavailable })
	if r := ask(3); r.Page(t).Count != 1 {
		t.Errorf("what was not touched: %s", r.Body)
	}
	cluster.Mend()
	harness.Eventually(t, "it is answered again", func() bool { return ask(2).Status == http.StatusOK })
}
