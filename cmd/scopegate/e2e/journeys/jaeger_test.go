package journeys_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

func TestJaegerShowsEachRequestAsOneTree(t *testing.T) {
	for name, test := range map[string]struct {
		protocol string
		empty    func(*testing.T) harness.Place
		loads    []string // the spans of a count and a page
	}{
		"grpc, Elasticsearch":   {"grpc", harness.EmptyIndices, []string{"engine", "engine", "search", "search"}},
		"http/protobuf, SQLite": {"http/protobuf", harness.EmptyFolder, []string{"engine", "engine"}},
	} {
		t.Run(name, func(t *testing.T) {
			j, at := exportToJaeger(t, test.protocol), test.empty(t)
			plantIn(t, at)
			g := harness.ServeAt(t, at, "cache.fresh=1m")
			g.AwaitReady(t) // which looks at the index, as the first search would
			token := g.Supervisor(t, 1)
			requests := []struct {
				target string
				traced traced
			}{
				{searchPlanted(), newTraced(append(test.loads, "auth", "cache", "encode", "scope")...)},
				{searchPlanted(), newTraced("auth", "cache", "encode", "scope")},
				{"/api/v1/sessions" + harness.Query("keyword", "70005551234", "nope", "1"), newTraced("auth")},
				{"/api/v1/sessions" + harness.Query("companyId", "7"), newTraced("auth", "scope")},
			}
			for _, r := range requests {
				g.Get(t, r.target, token, "Traceparent", r.traced.parent())
			}
			if err := g.Stop(); err != nil { // sends what is left
				t.Fatal(err)
			}
			for _, r := range requests {
				r.traced.check(t, j, plantedIn(token))
			}
		})
	}
}

func TestJaegerLinksACoalescedRequestToTheLoadThatServedIt(t *testing.T) {
	j, held := exportToJaeger(t, "grpc"), harness.NewGate()
	g := harness.ServeBy(t, held.Serve, append(harness.Folder(plantedTree(t)), "cache.fresh=1m")...)
	token := g.Supervisor(t, 1)
	loading := newTraced("auth", "cache", "encode", "engine", "engine", "scope")
	joining := newTraced("auth", "cache", "encode", "scope") // the engine's work is in the other trace

	first := g.Begin(t, searchPlanted(), token, "Traceparent", loading.parent())
	held.AwaitSearches(t, 2)
	second := g.Begin(t, searchPlanted(), token, "Traceparent", joining.parent())
	harness.AwaitCallers(t, 2)
	held.Open()
	if r := <-first; r.Page(t).Count != 1 || strings.Contains(r.Header.Get("Cache-Status"), "collapsed") {
		t.Errorf("the first request counts %d, Cache-Status %s", r.Page(t).Count, r.Header.Get("Cache-Status"))
	}
	if r := <-second; r.Page(t).Count != 1 || strings.Count(r.Header.Get("Cache-Status"), "collapsed") != 2 {
		t.Errorf("the second request counts %d, Cache-Status %s", r.Page(t).Count, r.Header.Get("Cache-Status"))
	}
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}

	load := loading.check(t, j, plantedIn(token))
	if links := load.span(t, "cache").links(); len(links) != 0 {
		t.Errorf("the first request links to %v", links)
	}
	link := jaegerReference{RefType: "FOLLOWS_FROM", TraceID: loading.id, SpanID: load.span(t, "cache").SpanID}
	// One for the count and one for the page.
	if diff := cmp.Diff([]jaegerReference{link, link}, joining.check(t, j, plantedIn(token)).span(t, "cache").links()); diff != "" {
		t.Errorf("links of the second request: %s", diff)
	}
}

func TestAGatewayThatStopsSendsItsLastTraces(t *testing.T) {
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		t.Run(protocol, func(t *testing.T) {
			j, held := exportToJaeger(t, protocol), harness.NewGate()
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000") // an hour: nothing leaves of itself
			g := harness.ServeBy(t, held.Serve, harness.Folder(plantedTree(t))...)
			token := g.Supervisor(t, 1)
			ended := newTraced("auth", "encode", "scope")
			inFlight := newTraced("auth", "cache", "encode", "engine", "engine", "scope")

			g.Get(t, "/api/v1/me", token, "Traceparent", ended.parent())
			answer := g.Begin(t, searchPlanted(), token, "Traceparent", inFlight.parent())
			held.AwaitSearches(t, 2)
			stopped := make(chan error, 1)
			go func() { stopped <- g.Stop() }()
			g.AwaitStopping(t)
			held.Open()
			if r := <-answer; r.Status != http.StatusOK || r.Page(t).Count != 1 {
				t.Errorf("the request in flight is answered %d: %s", r.Status, r.Body)
			}
			if err := <-stopped; err != nil {
				t.Fatal(err)
			}
			ended.check(t, j, plantedIn(token))
			inFlight.check(t, j, plantedIn(token))
		})
	}
}
