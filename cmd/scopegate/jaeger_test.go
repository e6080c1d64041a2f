package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// service is where a real part listens that `make services` has started.
func service(t *testing.T, variable string) string {
	t.Helper()
	address := os.Getenv(variable)
	if address != "" {
		return address
	}
	if os.Getenv(requireServices) != "" {
		t.Fatalf("%s is not set; `make test` sets it", variable)
	}
	t.Skipf("%s is not set; `make test` sets it", variable)
	return ""
}

// jaegerSpan is a span as Jaeger's API tells it.
type jaegerSpan struct {
	SpanID        string
	OperationName string
	References    []struct{ RefType, SpanID string }
}

// traceOf asks Jaeger for a trace until it is there.
func traceOf(t *testing.T, jaeger, id string) (spans []jaegerSpan, text string) {
	t.Helper()
	g := &servedGateway{client: http.DefaultClient}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		r := g.send(t, http.MethodGet, jaeger+"/api/traces/"+id, "", nil)
		var answer struct {
			Data []struct{ Spans []jaegerSpan }
		}
		if r.status != http.StatusOK {
			continue
		}
		if err := json.Unmarshal(r.body, &answer); err != nil {
			t.Fatal(err)
		}
		if len(answer.Data) > 0 {
			return answer.Data[0].Spans, string(r.body)
		}
	}
	t.Fatalf("Jaeger has no trace %s", id)
	return nil, ""
}

func TestJaegerShowsEachRequestAsOneTree(t *testing.T) {
	for protocol, variable := range map[string]string{"grpc": "SCOPEGATE_TEST_OTLP_GRPC", "http/protobuf": "SCOPEGATE_TEST_OTLP_HTTP"} {
		t.Run(protocol, func(t *testing.T) {
			jaeger := service(t, "SCOPEGATE_TEST_JAEGER")
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", service(t, variable))
			t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
			t.Setenv("OTEL_METRICS_EXPORTER", "none") // Jaeger takes traces only
			dir := t.TempDir()
			importLines(t, dir, companyLine(1, 0), sessionLine("s-1", 1, `"name": "Plantagenet Quux", "whatsappPhone": "70005551234"`))
			g := serve(t, dir, "cache.fresh=1m")
			token := g.supervisor(t, 1)
			search := "/api/v1/sessions" + query("showAllSupervised", "true", "keyword", "Plantagenet")
			requests := []struct {
				target string
				steps  []string
			}{
				{search, []string{"auth", "cache", "encode", "engine", "engine", "scope"}},
				{search, []string{"auth", "cache", "encode", "scope"}},
				{"/api/v1/sessions" + query("keyword", "70005551234", "nope", "1"), []string{"auth"}},
				{"/api/v1/sessions" + query("companyId", "7"), []string{"auth", "scope"}},
			}
			ids := make([]string, len(requests))
			for i, r := range requests {
				ids[i] = fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()|1)
				g.get(t, r.target, token, "Traceparent", "00-"+ids[i]+"-"+callersSpan+"-01")
			}
			if err := g.stop(); err != nil { // sends what is left
				t.Fatal(err)
			}
			planted := regexp.MustCompile(`(?i)plantagenet|quux|70005551234|` + regexp.QuoteMeta(token[len(token)-20:]))
			for i, r := range requests {
				spans, text := traceOf(t, jaeger, ids[i])
				if diff := cmp.Diff(r.steps, stepsOf(t, spans)); diff != "" {
					t.Errorf("request %d: %s", i, diff)
				}
				if found := planted.FindString(text); found != "" {
					t.Errorf("request %d: the trace holds %q", i, found)
				}
			}
		})
	}
}

// callersSpan is the span that the caller's traceparent names.
const callersSpan = "00f067aa0ba902b7"

// stepsOf lists the spans below the server's, sorted, if all hang together
// under the caller's.
func stepsOf(t *testing.T, spans []jaegerSpan) []string {
	t.Helper()
	known := map[string]bool{callersSpan: true}
	for _, span := range spans {
		known[span.SpanID] = true
	}
	var steps []string
	for _, span := range spans {
		parent := slices.IndexFunc(span.References, func(r struct{ RefType, SpanID string }) bool { return r.RefType == "CHILD_OF" })
		if parent < 0 || !known[span.References[parent].SpanID] {
			t.Errorf("span %s hangs in the air", span.OperationName)
		}
		if !strings.Contains(span.OperationName, "/") {
			steps = append(steps, span.OperationName)
		}
	}
	slices.Sort(steps)
	return steps
}
