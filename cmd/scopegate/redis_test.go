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
	// A scope is its companies, whoever asks: the tokens are of two issuers.
	search := "/api/v1/sessions?showAllSupervised=true&keyword=bob"
	stored := first.get(t, search, first.supervisor(t, 1)).page(t)

	var status string
	for range 100 { // what is stored is written beside the answer
		r := second.get(t, search, second.supervisor(t, 1), "Cache-Control", "max-age=60")
		if diff := cmp.Diff(stored, r.page(t)); diff != "" {
			t.Fatal(diff)
		}
		if status = r.header.Get("Cache-Status"); strings.Count(status, "hit") == 2 {
			break
		}
	}
	if !strings.Contains(status, "detail=redis") && !strings.Contains(status, "detail=memory") {
		t.Errorf("Cache-Status of the second gateway: %s", status)
	}
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
