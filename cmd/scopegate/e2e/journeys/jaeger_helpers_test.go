package journeys_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// jaeger is a real Jaeger's query API, http://HOST:PORT.
type jaeger string

// exportToJaeger makes gateways that start from now on send their traces to it.
func exportToJaeger(t *testing.T, protocol string) jaeger {
	t.Helper()
	variable := "SCOPEGATE_TEST_OTLP_HTTP"
	if protocol == "grpc" {
		variable = "SCOPEGATE_TEST_OTLP_GRPC"
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", harness.Service(t, variable))
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
	t.Setenv("OTEL_METRICS_EXPORTER", "none") // Jaeger takes traces only
	return jaeger(harness.Service(t, "SCOPEGATE_TEST_JAEGER"))
}

// jaegerTrace is a trace as Jaeger's API tells it.
type jaegerTrace struct {
	Spans []jaegerSpan
	text  string // all of it
}

type jaegerSpan struct {
	SpanID        string
	OperationName string
	References    []jaegerReference
}

type jaegerReference struct{ RefType, TraceID, SpanID string }

// parent is the id of the span around this one; "" if there is none.
func (s jaegerSpan) parent() string {
	i := slices.IndexFunc(s.References, func(r jaegerReference) bool { return r.RefType == "CHILD_OF" })
	if i < 0 {
		return ""
	}
	return s.References[i].SpanID
}

// links are the spans that this one names as its cause.
func (s jaegerSpan) links() []jaegerReference {
	return slices.DeleteFunc(slices.Clone(s.References), func(r jaegerReference) bool { return r.RefType != "FOLLOWS_FROM" })
}

// trace waits for a trace until it has as many spans, which come one by one.
func (j jaeger) trace(t *testing.T, id string, spans int) jaegerTrace {
	t.Helper()
	g := &harness.Gateway{Client: http.DefaultClient}
	var last harness.Reply
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		last = g.Send(t, http.MethodGet, string(j)+"/api/traces/"+id, "", nil)
		if last.Status != http.StatusOK {
			continue
		}
		var answer struct{ Data []jaegerTrace }
		if err := json.Unmarshal(last.Body, &answer); err != nil {
			t.Fatal(err)
		}
		if len(answer.Data) == 1 && len(answer.Data[0].Spans) >= spans {
			answer.Data[0].text = string(last.Body)
			return answer.Data[0]
		}
	}
	t.Fatalf("Jaeger has no %d spans of trace %s: %s", spans, id, last.Body)
	return jaegerTrace{}
}

// callersSpan is the span that the caller's traceparent names.
const callersSpan = "00f067aa0ba902b7"

// traced is a request under a trace of its caller's.
type traced struct {
	id    string   // of the trace
	steps []string // the spans that are expected below the server's, sorted
}

func newTraced(steps ...string) traced {
	return traced{fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()|1), slices.Sorted(slices.Values(steps))}
}

func (r traced) parent() string { return "00-" + r.id + "-" + callersSpan + "-01" }

// check waits for the request's trace, and fails unless it is one tree of the
// expected steps under the caller's span, without anything planted.
func (r traced) check(t *testing.T, j jaeger, planted *regexp.Regexp) jaegerTrace {
	t.Helper()
	trace := j.trace(t, r.id, len(r.steps)+1)
	if diff := cmp.Diff(r.steps, trace.steps(t)); diff != "" {
		t.Errorf("trace %s: %s", r.id, diff)
	}
	if found := planted.FindString(trace.text); found != "" {
		t.Errorf("trace %s holds %q", r.id, found)
	}
	return trace
}

// steps lists the spans below the server's, sorted, if all hang together under
// the caller's.
func (trace jaegerTrace) steps(t *testing.T) []string {
	t.Helper()
	parents := map[string]string{}
	for _, span := range trace.Spans {
		parents[span.SpanID] = span.parent()
	}
	var steps []string
	for _, span := range trace.Spans {
		above := span.SpanID
		for range trace.Spans { // no way up is longer
			if above != callersSpan {
				above = parents[above]
			}
		}
		if above != callersSpan {
			t.Errorf("span %s hangs in the air", span.OperationName)
		}
		if !strings.Contains(span.OperationName, "/") {
			steps = append(steps, span.OperationName)
		}
	}
	slices.Sort(steps)
	return steps
}

// span finds the trace's one span of the name.
func (trace jaegerTrace) span(t *testing.T, name string) jaegerSpan {
	t.Helper()
	i := slices.IndexFunc(trace.Spans, func(s jaegerSpan) bool { return s.OperationName == name })
	if i < 0 {
		t.Fatalf("no span %s in %s", name, trace.text)
	}
	return trace.Spans[i]
}

// plantedTree is company 1 with one session that is easy to recognise.
func plantedTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	plantIn(t, harness.Folder(dir))
	return dir
}

func plantIn(t *testing.T, at harness.Place) {
	t.Helper()
	harness.ImportLinesInto(t, at, harness.CompanyLine(1, 0), harness.SessionLine("s-1", 1, `"name": "Plantagenet Quux", "whatsappPhone": "70005551234"`))
}

// searchPlanted finds that session.
func searchPlanted() string {
	return "/api/v1/sessions" + harness.Query("showAllSupervised", "true", "keyword", "Plantagenet")
}

// plantedIn matches what no trace may hold.
func plantedIn(token string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)plantagenet|quux|70005551234|` + regexp.QuoteMeta(token[len(token)-20:]))
}
