package cache

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/budget"
	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// traced is a context with a recording root span, and what was recorded.
func traced(t *testing.T) (func(name string) (context.Context, func()), *tracetest.SpanRecorder) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	return func(name string) (context.Context, func()) {
		ctx, span := provider.Tracer("test").Start(t.Context(), name)
		return ctx, func() { span.End() }
	}, recorder
}

func cacheSpans(recorder *tracetest.SpanRecorder) []sdktrace.ReadOnlySpan {
	var spans []sdktrace.ReadOnlySpan
	for _, span := range recorder.Ended() {
		if span.Name() == "cache" {
			spans = append(spans, span)
		}
	}
	return spans
}

func attributes(span sdktrace.ReadOnlySpan) map[string]any {
	values := map[string]any{}
	for _, kv := range span.Attributes() {
		values[string(kv.Key)] = kv.Value.AsInterface()
	}
	return values
}

func TestTheSpanSaysWhereEachPartCameFrom(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		root, recorder := traced(t)
		next := newEngine()
		c := newCache(t, next, Options{})
		for _, q := range []search.Query{query(), queryAt(10)} {
			ctx, end := root("request")
			if _, err := c.Search(ctx, scope, q); err != nil {
				t.Fatal(err)
			}
			end()
			time.Sleep(2 * time.Second)
		}
		spans := cacheSpans(recorder)
		if len(spans) != 2 {
			t.Fatalf("%d cache spans", len(spans))
		}
		want := map[string]any{
			"scopegate.cache.count": "hit", "scopegate.cache.count.tier": "memory",
			"scopegate.cache.count.age_ms": int64(2000), "scopegate.cache.count.shared": false, "scopegate.cache.count.stored": false,
			"scopegate.cache.page": "miss", "scopegate.cache.page.tier": "none",
			"scopegate.cache.page.age_ms": int64(0), "scopegate.cache.page.shared": false, "scopegate.cache.page.stored": true,
		}
		if diff := cmp.Diff(want, attributes(spans[1])); diff != "" {
			t.Errorf("second page's span (-want +got):\n%s", diff)
		}
	})
}

func TestACoalescedSearchLinksToTheLoad(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		root, recorder := traced(t)
		next, held := newEngine(), make(gate)
		next.hold(held.wait)
		c := newCache(t, next, Options{})
		search := func(name string) <-chan answerOf {
			ctx, end := root(name)
			t.Cleanup(end)
			done := begin(ctx, c, scope, query())
			synctest.Wait()
			return done
		}
		first, second := search("first"), search("second")
		close(held)
		<-first
		<-second
		var loading, joined sdktrace.ReadOnlySpan
		for _, span := range cacheSpans(recorder) {
			if len(span.Links()) == 0 {
				loading = span
			} else {
				joined = span
			}
		}
		if loading == nil || joined == nil || len(joined.Links()) != 2 {
			t.Fatalf("want one span without links and one with two: %v, %v", loading, joined)
		}
		for _, link := range joined.Links() {
			if !link.SpanContext.Equal(loading.SpanContext()) {
				t.Errorf("a link goes to %v, not to the load", link.SpanContext)
			}
		}
		if loading.SpanContext().TraceID() == joined.SpanContext().TraceID() {
			t.Error("the two requests are one trace")
		}
	})
}

// What a caller waited for is never so wanted as when it did not come.
func TestACoalescedSearchLinksToTheLoadThatDidNotServeIt(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	for name, fail := range map[string]func(leave func(), held gate){
		"the load failed":     func(_ func(), held gate) { close(held) },
		"the caller has left": func(leave func(), _ gate) { leave() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				root, recorder := traced(t)
				next, held := newEngine(), make(gate)
				next.hold(func(ctx context.Context, q search.Query) error {
					return errors.Join(held.wait(ctx, q), search.ErrUnavailable)
				})
				c := newCache(t, next, Options{})
				ctx, end := root("first")
				defer end()
				first := begin(ctx, c, scope, query())
				synctest.Wait()
				ctx, end = root("second")
				defer end()
				ctx, leave := context.WithCancel(ctx)
				defer leave()
				second := begin(ctx, c, scope, query())
				synctest.Wait()

				fail(leave, held)
				if a := <-second; a.err == nil {
					t.Fatal("the second search did not fail")
				}
				c.Close()
				<-first
				links := map[trace.TraceID]int{}
				for _, span := range cacheSpans(recorder) {
					links[span.SpanContext().TraceID()] = len(span.Links())
				}
				if joined := trace.SpanContextFromContext(ctx).TraceID(); len(links) != 2 || links[joined] != 2 {
					t.Errorf("want two links from %s and none from the other, got %v", joined, links)
				}
			})
		})
	}
}

func TestAFailedSearchMarksItsSpan(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	root, recorder := traced(t)
	next := newEngine()
	next.hold(func(context.Context, search.Query) error {
		return fmt.Errorf("%w: shard of 79991234567", search.ErrUnavailable)
	})
	c := newCache(t, next, Options{})
	ctx, end := root("request")
	defer end()
	if _, err := c.Search(ctx, scope, query()); err == nil {
		t.Fatal("no error")
	}
	span := cacheSpans(recorder)[0]
	if got := attributes(span)["error.type"]; got != "unavailable" || span.Status().Description != "unavailable" {
		t.Errorf("error.type %v, status %+v", got, span.Status())
	}
}

func TestMetricsCountWhatHappened(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	reader := sdkmetric.NewManualReader()
	c := newCache(t, newEngine(), Options{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
	mustSearch(t, c, scope, query())
	mustSearch(t, c, scope, query())
	mustSearch(t, c, scope, queryAt(10))

	lookups := map[string]int64{}
	loads := map[string]uint64{}
	ages := map[string]uint64{}
	gauges := map[string]int64{}
	for name, data := range collect(t, reader) {
		switch data := data.(type) {
		case metricdata.Sum[int64]:
			for _, point := range data.DataPoints {
				lookups[label(point.Attributes, "part", "result", "tier")] = point.Value
			}
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				if name == "scopegate.cache.age" {
					ages[label(point.Attributes, "tier")] = point.Count
					continue
				}
				loads[label(point.Attributes, "part", "outcome")] = point.Count
			}
		case metricdata.Gauge[int64]:
			gauges[name] = data.DataPoints[0].Value
		}
	}
	wantLookups := map[string]int64{"count miss ": 1, "page miss ": 2, "count hit memory": 2, "page hit memory": 1}
	if diff := cmp.Diff(wantLookups, lookups); diff != "" {
		t.Errorf("lookups (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]uint64{"count ok": 1, "page ok": 2}, loads); diff != "" {
		t.Errorf("loads (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]uint64{"memory": 1}, ages); diff != "" {
		t.Errorf("ages of what was served (-want +got):\n%s", diff)
	}
	if gauges["scopegate.cache.entries"] != 3 || gauges["scopegate.cache.size"] <= 3*entryOverhead {
		t.Errorf("gauges: %v", gauges)
	}
}

func TestNoTelemetryHoldsWhatWasSearchedFor(t *testing.T) {
	const planted = "plantedname"
	scope := tenancytest.Scope(t, 1)
	keyword, err := keyword.Parse(planted)
	if err != nil {
		t.Fatal(err)
	}
	q := query()
	q.Filter.Keyword, q.Filter.Name = keyword, planted
	synctest.Test(t, func(t *testing.T) {
		root, recorder := traced(t)
		reader := sdkmetric.NewManualReader()
		next := newEngine()
		c := newCache(t, next, Options{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
		next.hold(func(context.Context, search.Query) error { return fmt.Errorf("no shard for %q", planted) })
		for range 2 {
			ctx, end := root("request")
			_, _ = c.Search(ctx, scope, q) // the first one fails
			end()
			synctest.Wait() // until both of its loads have
			next.hold(nil)
		}
		recorded := fmt.Sprintf("%+v %+v", collect(t, reader), tracetest.SpanStubsFromReadOnlySpans(recorder.Ended()))
		if !strings.Contains(recorded, "scopegate.cache.page") || strings.Contains(recorded, planted) {
			t.Errorf("telemetry holds the name, or nothing at all: %s", recorded)
		}
	})
}

func collect(t *testing.T, reader *sdkmetric.ManualReader) map[string]metricdata.Aggregation {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	found := map[string]metricdata.Aggregation{}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			found[m.Name] = m.Data
		}
	}
	return found
}

func label(set attribute.Set, names ...string) string {
	values := make([]string, len(names))
	for i, name := range names {
		value, _ := set.Value(attribute.Key(name))
		values[i] = value.AsString()
	}
	return strings.Join(values, " ")
}

func TestCallsOfRedisAreCountedByHowTheyEnd(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"no error":               {nil, callOK},
		"the breaker":            {budget.ErrOpen, callRejected},
		"a budget":               {fmt.Errorf("get: %w", context.DeadlineExceeded), callTimeout},
		"a slow connection":      {&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, callTimeout},
		"no free connection":     {redis.ErrPoolTimeout, callTimeout},
		"a refused connection":   {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, callError},
		"a Redis that is full":   {fmt.Errorf("%w: OOM", redisstore.ErrRefused), callError},
		"a search that has left": {context.Canceled, callError},
	} {
		t.Run(name, func(t *testing.T) {
			if got := callOutcome(test.err); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
