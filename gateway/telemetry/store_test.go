package telemetry

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func storeOf(size int) (*Store, trace.Tracer) {
	store := NewStore(size)
	return store, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(store)).Tracer("test")
}

// shape is a tree's names and what is within them.
func shape(spans []*SpanView) string {
	var text strings.Builder
	for _, s := range spans {
		text.WriteString(s.Name + "(" + shape(s.Children) + ")")
	}
	return text.String()
}

func TestATraceIsShownAsATree(t *testing.T) {
	store, tracer := storeOf(0)
	ctx, root := tracer.Start(context.Background(), "request")
	_, auth := tracer.Start(ctx, "auth", trace.WithAttributes(attribute.Int("n", 5)))
	auth.End()
	inner, cache := tracer.Start(ctx, "cache")
	_, engine := tracer.Start(inner, "engine")
	engine.SetStatus(codes.Error, "search_timeout")
	engine.End()
	cache.End()
	root.End()

	view, ok := store.Trace(root.SpanContext().TraceID().String())
	if !ok {
		t.Fatal("the trace is not there")
	}
	if got, want := shape(view.Roots), "request(auth()cache(engine()))"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if view.Name != "request" || view.Spans != 4 || !view.Failed || !view.Roots[0].Children[1].Children[0].Failed || view.Roots[0].Failed {
		t.Errorf("view = %+v", view.TraceSummary)
	}
	if diff := cmp.Diff(map[string]any{"n": int64(5)}, view.Roots[0].Children[0].Attributes); diff != "" {
		t.Error(diff)
	}
}

func TestTheStoreForgetsTheOldestSpans(t *testing.T) {
	store, tracer := storeOf(3)
	for i := range 10 {
		_, span := tracer.Start(context.Background(), strconv.Itoa(i))
		span.End()
	}
	var names []string
	for _, summary := range store.Recent() {
		names = append(names, summary.Name)
	}
	if diff := cmp.Diff([]string{"9", "8", "7"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestASpanWhoseParentIsForgottenIsARoot(t *testing.T) {
	store, tracer := storeOf(2)
	ctx, root := tracer.Start(context.Background(), "root")
	for _, name := range []string{"a", "b"} {
		_, span := tracer.Start(ctx, name)
		span.End()
	}
	view, ok := store.Trace(root.SpanContext().TraceID().String())
	if !ok || shape(view.Roots) != "a()b()" {
		t.Errorf("got %s, %t", shape(view.Roots), ok)
	}
}

func TestTracesAreServedAsJSON(t *testing.T) {
	store, tracer := storeOf(0)
	_, span := tracer.Start(context.Background(), "request")
	span.End()
	mux := http.NewServeMux()
	mux.Handle("GET /debug/traces", store)
	mux.Handle("GET /debug/traces/{id}", store)
	get := func(path string, status int, into any) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != status {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Fatal(err)
		}
	}
	var list struct{ Traces []TraceSummary }
	get("/debug/traces", http.StatusOK, &list)
	if len(list.Traces) != 1 || list.Traces[0].Name != "request" {
		t.Fatalf("list = %+v", list)
	}
	var view TraceView
	get("/debug/traces/"+list.Traces[0].TraceID, http.StatusOK, &view)
	if shape(view.Roots) != "request()" {
		t.Errorf("view = %+v", view)
	}
	var fault map[string]string
	get("/debug/traces/00000000000000000000000000000001", http.StatusNotFound, &fault)
	get("/debug/traces/nonsense", http.StatusNotFound, &fault)
}

func TestTheStoreTakesSpansFromManyGoroutines(t *testing.T) {
	store, tracer := storeOf(50)
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			for range 50 {
				_, span := tracer.Start(context.Background(), "x")
				span.End()
				_ = store.Recent()
			}
		})
	}
	done.Wait()
	if got := len(store.Recent()); got != 50 {
		t.Errorf("%d traces kept, want 50", got)
	}
}
