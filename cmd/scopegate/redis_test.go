package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sharedTierSettings are for gateways of one test that share a Redis.
func sharedTierSettings(address string) []string {
	return []string{
		"cache.fresh=1m",
		fmt.Sprintf("redis.addresses=[%q]", address),
		fmt.Sprintf("cache.keys=[%q]", base64.StdEncoding.EncodeToString([]byte(rand.Text() + rand.Text())[:32])),
		"cache.namespace=" + rand.Text(),
	}
}

func TestAGatewayHitsWhatAnotherHasStoredInRedis(t *testing.T) {
	address := strings.TrimPrefix(service(t, "SCOPEGATE_TEST_REDIS"), "redis://")
	dir, settings := smallTree(t), sharedTierSettings(address)
	first, second := serve(t, dir, settings...), serve(t, dir, settings...)
	// A scope is its companies, whoever asks: the tokens are of two issuers. What
	// is stored is written beside the answer, so the second may ask too early;
	// then it asks something else.
	asked := 0
	eventually(t, "the second gateway hits what the first has stored", func() bool {
		asked++
		search := fmt.Sprintf("/api/v1/sessions?showAllSupervised=true&keyword=bob&limit=%d", asked)
		stored := first.get(t, search, first.supervisor(t, 1)).page(t)
		r := second.get(t, search, second.supervisor(t, 1))
		if diff := cmp.Diff(stored, r.page(t)); diff != "" {
			t.Fatal(diff)
		}
		return strings.Contains(r.header.Get("Cache-Status"), "scopegate-page; hit; ttl") && strings.Contains(r.header.Get("Cache-Status"), "detail=redis")
	})
	if metrics := string(second.send(t, http.MethodGet, second.admin+"/metrics", "", nil).body); !strings.Contains(metrics, `tier="redis"`) {
		t.Error("the second gateway's metrics tell of no hit in Redis")
	}
}

func TestARedisThatIsDownIsASlowerAnswer(t *testing.T) {
	g := serve(t, smallTree(t), sharedTierSettings("127.0.0.1:1")...)
	token := g.supervisor(t, 1)
	for _, want := range []string{"fwd=miss", "hit"} {
		r := g.get(t, "/api/v1/sessions?showAllSupervised=true", token)
		if p := r.page(t); p.Count != 4 || !strings.Contains(r.header.Get("Cache-Status"), want) {
			t.Errorf("count %d, Cache-Status %s, want %s", p.Count, r.header.Get("Cache-Status"), want)
		}
	}
}
