package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// Formats of log lines.
const (
	FormatJSON = "json"
	FormatText = "text"
)

func newLogHandler(o Options) (slog.Handler, error) {
	if o.LogWriter == nil {
		return nil, errors.New("LogWriter is required")
	}
	options := &slog.HandlerOptions{Level: o.LogLevel, ReplaceAttr: readableDurations}
	switch o.LogFormat {
	case FormatJSON, "":
		return NewLogHandler(slog.NewJSONHandler(o.LogWriter, options)), nil
	case FormatText:
		return NewLogHandler(slog.NewTextHandler(o.LogWriter, options)), nil
	}
	return nil, fmt.Errorf("LogFormat: %q is unknown, must be %s or %s", o.LogFormat, FormatJSON, FormatText)
}

// readableDurations writes durations as "1.5s": JSON would have nanoseconds.
func readableDurations(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().String())
	}
	return a
}

// logHandler adds trace_id and span_id of the context to each record.
type logHandler struct {
	slog.Handler
}

var _ slog.Handler = logHandler{}

// NewLogHandler wraps a handler so that each record carries the trace_id and
// span_id of the context that it was logged with.
func NewLogHandler(next slog.Handler) slog.Handler { return logHandler{next} }

// Handle implements slog.Handler.
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.Handler.WithGroup(name)}
}
