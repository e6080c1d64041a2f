package isolation_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// Shape of the crowd.
const (
	crowdAccounts = 50 + 4 // four have no good token
	crowdRequests = 400
	// mostPatience is how long the most patient of those wait who do not wait to
	// the end: about as long as the crowd takes.
	mostPatience = 3 * time.Second
)

func TestACrowdThatLeavesAtRandomSeesNothingForeignAndLeavesNothing(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			before := goleak.IgnoreCurrent()
			// Each account asks for more at once than it may have loads under way.
			w := newWorld(t, at, "cache.fresh=1m", "limits.account_loads=0")
			w.crowd(t)
			answered, gone := w.rush(t)
			if answered == 0 || gone == 0 {
				t.Errorf("%d were answered and %d left: that is no crowd that leaves at random", answered, gone)
			}
			t.Logf("%d were answered, %d left", answered, gone)
			for _, c := range w.callers {
				q := crowdInquiry(1)
				w.mustAnswer(t, c, q.byURL(), q.answeredTo(w.model, c, nextTarget(q.byURL())))
			}
			if found := foreignCanary(harness.EveryTrace(t, w.Gateway), nil); found != "" {
				t.Errorf("the traces hold %s", found)
			}
			if err := w.Stop(); err != nil {
				t.Fatal(err)
			}
			if found := foreignCanary(w.Logs.String(), nil); found != "" {
				t.Errorf("the log holds %s", found)
			}
			// What is left is the issuers' servers, which the test's end stops.
			if err := goleak.Find(before, goleak.IgnoreAnyFunction("net/http/httptest.(*Server).goServe.func1")); err != nil {
				t.Error(err)
			}
		})
	}
}

// crowd adds accounts of the same companies.
func (w *world) crowd(t *testing.T) {
	t.Helper()
	companies := []tenancy.CompanyID{1, 2, 3, 4, 7, 10, 11, 20}
	for i := 0; len(w.callers) < crowdAccounts; i++ {
		c := caller{issuer: w.north.URL(), subject: fmt.Sprintf("crowd-%d", i), company: companies[i%len(companies)]}
		if i%3 > 0 {
			c.roles = []string{tenancytest.SupervisorRole}
		}
		c.name = fmt.Sprintf("%s of %d, %v", c.subject, c.company, c.roles)
		c.token = w.north.Token(t, tenancytest.Claims{Subject: c.subject, Company: c.company, Roles: c.roles})
		w.callers = append(w.callers, c)
	}
}

// crowdInquiry is one of so few that many ask for the same at a time, each with a
// scope of their own.
func crowdInquiry(n int) inquiry {
	return inquiry{selection: selection{all: n%4 > 0}, limit: 5, unlike: n % 20, byName: n%3 == 0, keyword: []string{"", "canary-"}[n%2]}
}

// rush lets all ask at once, and most leave at a time of their own.
func (w *world) rush(t *testing.T) (answered, gone int) {
	t.Helper()
	w.Client.Transport = &http.Transport{}
	var (
		mu    sync.Mutex
		asked sync.WaitGroup
	)
	for n := range crowdRequests {
		asked.Go(func() {
			c, q := w.callers[n%len(w.callers)], crowdInquiry(n/len(w.callers))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if n%5 > 0 {
				time.AfterFunc(rand.N(mostPatience), cancel)
			}
			r, err := ask(ctx, w.Gateway, c, q.byURL())
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, context.Canceled):
				gone++
			case err != nil:
				t.Error(err)
			default:
				answered++
				if fault := q.answeredTo(w.model, c, nextTarget(q.byURL())).fault(r, unknown, http.MethodGet); fault != "" {
					t.Errorf("%s asks %s: %s", c.name, q.byURL().target, fault)
				}
			}
		})
	}
	asked.Wait()
	return answered, gone
}
