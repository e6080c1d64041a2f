package elastic

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// slowNodes are nodes that do not answer in time.
type slowNodes struct {
	mu    sync.Mutex
	asked map[string]int
}

func (n *slowNodes) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	n.asked[r.URL.Hostname()]++
	n.mu.Unlock()
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestASearchThatReachesItsDeadlineLeavesItsNodeInUse(t *testing.T) {
	scope := tenancytest.Scope(t, 7)
	for name, ended := range map[string]func() (context.Context, context.CancelFunc){
		"a deadline": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), time.Millisecond)
		},
		"a caller who leaves": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			return ctx, cancel
		},
	} {
		nodes := &slowNodes{asked: map[string]int{}}
		s := openWith(t, Options{Addresses: []string{"http://one.invalid:9200", "http://two.invalid:9200"}, Transport: nodes})
		s.fits.Store(true)
		const each = 5
		for range 2 * each {
			ctx, cancel := ended()
			if _, err := s.Search(ctx, scope, everything()); err == nil {
				t.Errorf("%s: an answer came", name)
			}
			cancel()
		}
		if nodes.asked["one.invalid"] != each || nodes.asked["two.invalid"] != each {
			t.Errorf("%s: asked %v, want %d each", name, nodes.asked, each)
		}
	}
}
