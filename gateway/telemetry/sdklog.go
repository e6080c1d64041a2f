package telemetry

import (
	"context"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/scopegate/scopegate/reason"
)

// sdkLog writes OpenTelemetry's own messages to the log. When a collector is down, the
// same message comes with every batch. It is written at most once in sdkLogInterval,
// with the number of times that it was left out.
type sdkLog struct {
	logger *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	written map[string]*writtenLine // by text, with digits replaced
}

// writtenLine is when a line was written last, and how often it was left out since.
type writtenLine struct {
	at      time.Time
	leftOut int
}

const (
	sdkLogInterval = time.Minute
	// maxWritten bounds the lines that are remembered.
	maxWritten = 64
)

func newSDKLog(logger *slog.Logger) *sdkLog {
	return &sdkLog{logger: logger, now: time.Now, written: map[string]*writtenLine{}}
}

var _ logr.LogSink = (*sdkLog)(nil)

// Handle implements otel.ErrorHandler.
func (l *sdkLog) Handle(err error) { l.write("telemetry failed", slog.Any("error", err), err.Error()) }

// Init implements logr.LogSink.
func (l *sdkLog) Init(logr.RuntimeInfo) {}

// Enabled implements logr.LogSink: errors and warnings are written. Warnings have
// level 1 (see otel.SetLogger).
func (l *sdkLog) Enabled(level int) bool { return level <= 1 }

// Info implements logr.LogSink. The values are left out: they may be headers, or
// addresses with passwords.
func (l *sdkLog) Info(_ int, message string, _ ...any) {
	l.write("telemetry", slog.String("warning", message), message)
}

// Error implements logr.LogSink.
func (l *sdkLog) Error(err error, message string, _ ...any) {
	text := message + ": " + reason.Of(err)
	l.write("telemetry", slog.String("error", text), text)
}

// WithValues implements logr.LogSink.
func (l *sdkLog) WithValues(...any) logr.LogSink { return l }

// WithName implements logr.LogSink.
func (l *sdkLog) WithName(string) logr.LogSink { return l }

var digits = regexp.MustCompile(`[0-9]+`)

func (l *sdkLog) write(message string, what slog.Attr, text string) {
	leftOut, due := l.due(digits.ReplaceAllString(text, "0"))
	if !due {
		return
	}
	attrs := []slog.Attr{what}
	if leftOut > 0 {
		attrs = append(attrs, slog.Int("left_out", leftOut))
	}
	l.logger.LogAttrs(context.Background(), slog.LevelWarn, message, attrs...)
}

// due reports whether a line is written, and how often it was left out before.
func (l *sdkLog) due(line string) (leftOut int, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, ok := l.written[line]
	if !ok {
		if len(l.written) >= maxWritten {
			clear(l.written)
		}
		l.written[line] = &writtenLine{at: l.now()}
		return 0, true
	}
	if l.now().Sub(last.at) < sdkLogInterval {
		last.leftOut++
		return 0, false
	}
	leftOut = last.leftOut
	*last = writtenLine{at: l.now()}
	return leftOut, true
}
