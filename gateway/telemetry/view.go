package telemetry

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// listedTraces is the largest number of traces in a list.
const listedTraces = 100

// TraceSummary is one line of the list of traces, newest first.
type TraceSummary struct {
	TraceID    string    `json:"traceId"`
	Name       string    `json:"name"` // of the span that started first
	Start      time.Time `json:"start"`
	DurationMS float64   `json:"durationMs"` // from the first start to the last end
	Spans      int       `json:"spans"`
	Failed     bool      `json:"failed"` // any span is an error
}

// TraceView is one trace as a tree.
type TraceView struct {
	TraceSummary
	// Roots are the spans whose parent is not stored here: usually one.
	Roots []*SpanView `json:"roots"`
}

// SpanView is one span and its children, ordered by start.
type SpanView struct {
	SpanID     string         `json:"spanId"`
	Name       string         `json:"name"`
	Start      time.Time      `json:"start"`
	DurationMS float64        `json:"durationMs"`
	Failed     bool           `json:"failed"`
	Attributes map[string]any `json:"attributes"`
	Children   []*SpanView    `json:"children"`
}

var _ http.Handler = (*Store)(nil)

// ServeHTTP answers with the list of recent traces or, if the route has a path value
// "id", with that trace as a tree.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if id == "" {
		writeJSON(w, http.StatusOK, map[string]any{"traces": s.Recent()})
		return
	}
	view, ok := s.Trace(id)
	if !ok {
		writeJSON(w, http.StatusNotFound, map[string]string{"error": "There is no such trace here, or no longer."})
		return
	}
	writeJSON(w, http.StatusOK, view)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the error means that the reader has gone
}

// Recent returns the newest traces, at most 100.
func (s *Store) Recent() []TraceSummary {
	list := []TraceSummary{}
	for id, spans := range s.traces() {
		list = append(list, summarize(id, spans))
	}
	slices.SortFunc(list, func(a, b TraceSummary) int { return b.Start.Compare(a.Start) })
	return list[:min(len(list), listedTraces)]
}

// Trace returns a trace by its id in hex; false if none of its spans is stored.
func (s *Store) Trace(id string) (TraceView, bool) {
	traceID, err := trace.TraceIDFromHex(id)
	if err != nil {
		return TraceView{}, false
	}
	spans := s.traces()[traceID]
	if len(spans) == 0 {
		return TraceView{}, false
	}
	return TraceView{TraceSummary: summarize(traceID, spans), Roots: tree(spans)}, true
}

// summarize makes the summary of a trace; spans are ordered by start.
func summarize(id trace.TraceID, spans []storedSpan) TraceSummary {
	first, end, failed := spans[0], spans[0].end, false
	for _, span := range spans {
		if span.end.After(end) {
			end = span.end
		}
		failed = failed || span.failed
	}
	return TraceSummary{
		TraceID: id.String(), Name: first.name, Start: first.start,
		DurationMS: milliseconds(end.Sub(first.start)), Spans: len(spans), Failed: failed,
	}
}

// tree puts each span under its parent. A span whose parent is not there is a root.
func tree(spans []storedSpan) []*SpanView {
	views := make(map[trace.SpanID]*SpanView, len(spans))
	for _, span := range spans {
		views[span.id] = &SpanView{
			SpanID: span.id.String(), Name: span.name, Start: span.start,
			DurationMS: milliseconds(span.end.Sub(span.start)), Failed: span.failed,
			Attributes: attributeValues(span.attributes), Children: []*SpanView{},
		}
	}
	roots := []*SpanView{}
	for _, span := range spans {
		parent, here := views[span.parent]
		if !here {
			roots = append(roots, views[span.id])
			continue
		}
		parent.Children = append(parent.Children, views[span.id])
	}
	return roots
}

func attributeValues(attributes []attribute.KeyValue) map[string]any {
	values := make(map[string]any, len(attributes))
	for _, attr := range attributes {
		values[string(attr.Key)] = attr.Value.AsInterface()
	}
	return values
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
