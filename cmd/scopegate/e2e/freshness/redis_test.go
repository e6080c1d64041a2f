package freshness_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

func TestAGatewayHitsWhatAnotherHasStoredInRedis(t *testing.T) {
	address := strings.TrimPrefix(harness.Service(t, "SCOPEGATE_TEST_REDIS"), "redis://")
	dir, settings := harness.SmallTree(t), harness.RedisSettings(address)
	first, second := harness.Serve(t, dir, settings...), harness.Serve(t, dir, settings...)
	// A scope is its companies, whoever asks: the tokens are of two issuers. What
	// is stored is written beside the answer, so the second may ask too early;
	// then it asks something else.
	asked := 0
	harness.Eventually(t, "the second gateway hits what the first has stored", func() bool {
		asked++
		search := fmt.Sprintf("/api/v1/sessions?showAllSupervised=true&keyword=bob&limit=%d", asked)
		stored := first.Get(t, search, first.Supervisor(t, 1)).Page(t)
		r := second.Get(t, search, second.Supervisor(t, 1))
		if diff := cmp.Diff(stored, r.Page(t)); diff != "" {
			t.Fatal(diff)
		}
		return strings.Contains(r.Header.Get("Cache-Status"), "scopegate-page; hit; ttl") && strings.Contains(r.Header.Get("Cache-Status"), "detail=redis")
	})
	if metrics := string(second.Send(t, http.MethodGet, second.Admin+"/metrics", "", nil).Body); !strings.Contains(metrics, `tier="redis"`) {
		t.Error("the second gateway's metrics tell of no hit in Redis")
	}
}

func TestARedisThatIsDownIsASlowerAnswer(t *testing.T) {
	g := harness.Serve(t, harness.SmallTree(t), harness.RedisSettings("127.0.0.1:1")...)
	token := g.Supervisor(t, 1)
	for _, want := range []string{"fwd=miss", "hit"} {
		r := g.Get(t, "/api/v1/sessions?showAllSupervised=true", token)
		if p := r.Page(t); p.Count != 4 || !strings.Contains(r.Header.Get("Cache-Status"), want) {
			t.Errorf("count %d, Cache-Status %s, want %s", p.Count, r.Header.Get("Cache-Status"), want)
		}
	}
}
