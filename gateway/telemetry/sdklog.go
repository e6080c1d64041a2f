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

// sdkLog takes what OpenTelemetry has to say into our log. A collector that is
// down has it say the same with every batch, so that a line is written once in a
// while, with how often it was left out meanwhile.
type sdkLog struct {
	logger *slog.Logger
	now    func() time.Time

	mu   sync.Mutex
	said map[string]*saidLine
}

type saidLine struct {
	at      time.Time
	leftOut int
}

const (
	sdkLogEvery = time.Minute
	// maxSaid bounds the lines that are told apart.
	maxSaid = 64
)

func newSDKLog(logger *slog.Logger) *sdkLog {
	return &sdkLog{logger: logger, now: time.Now, said: map[string]*saidLine{}}
}

var _ logr.LogSink = (*sdkLog)(nil)

// Handle implements otel.ErrorHandler.
func (l *sdkLog) Handle(err error) { l.write("telemetry failed", slog.Any("error", err), err.Error()) }

// Init implements logr.LogSink.
func (l *sdkLog) Init(logr.RuntimeInfo) {}

// Enabled implements logr.LogSink: errors and warnings, which have the level 1
// (see otel.SetLogger).
func (l *sdkLog) Enabled(level int) bool { return level <= 1 }

// Info implements logr.LogSink. The values are left out: headers are among them,
// and addresses with passwords.
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

// due reports whether a line is to be written, and how often it was not since it
// was last.
func (l *sdkLog) due(line string) (leftOut int, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	said, ok := l.said[line]
	if !ok {
		if len(l.said) >= maxSaid {
			clear(l.said)
		}
		l.said[line] = &saidLine{at: l.now()}
		return 0, true
	}
	if l.now().Sub(said.at) < sdkLogEvery {
		said.leftOut++
		return 0, false
	}
	leftOut = said.leftOut
	*said = saidLine{at: l.now()}
	return leftOut, true
}
