package app

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/scopegate/scopegate/search/elastic"
)

// How often Elasticsearch is asked for documents that are no sessions, and how
// often the same number of them is logged again.
const (
	faultyEvery      = time.Minute
	faultyRemindedIn = time.Hour
)

// FaultySource is an index into which other producers can write documents that are
// no sessions.
type FaultySource interface {
	// Faulty counts them, and names some.
	Faulty(ctx context.Context) (elastic.Faulty, error)
}

// watchFaulty counts documents that are no sessions, where others than the
// importer can write them, until it is closed: by a metric, and in the log with
// the _id of some.
func watchFaulty(source FaultySource, provider metric.MeterProvider, logger *slog.Logger, closers *Closers) error {
	if source == nil {
		return nil
	}
	w := &faultyWatch{source: source, logger: logger}
	_, err := provider.Meter("github.com/scopegate/scopegate/cmd/scopegate").Int64ObservableGauge("scopegate.engine.faulty_documents",
		metric.WithUnit("{document}"), metric.WithDescription("Documents of the index of sessions that are no sessions; see the log."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(w.count.Load())
			return nil
		}))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx)
	}()
	closers.push(func() error { cancel(); <-done; return nil })
	return nil
}

type faultyWatch struct {
	source FaultySource
	logger *slog.Logger
	count  atomic.Int64

	logged   int64 // the count that was logged last
	loggedAt time.Time
}

func (w *faultyWatch) run(ctx context.Context) {
	ticker := time.NewTicker(faultyEvery)
	defer ticker.Stop()
	for {
		w.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look asks once. Readiness reports an Elasticsearch that does not answer.
func (w *faultyWatch) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, faultyEvery)
	defer cancel()
	found, err := w.source.Faulty(ctx)
	if err != nil {
		return
	}
	w.count.Store(found.Count)
	if found.Count == w.logged && (found.Count == 0 || time.Since(w.loggedAt) < faultyRemindedIn) {
		return
	}
	w.logged, w.loggedAt = found.Count, time.Now()
	var some []string
	for _, doc := range found.Some {
		some = append(some, doc.ID+": "+strings.Join(doc.Fields, ", "))
	}
	level := slog.LevelWarn
	if found.Count == 0 {
		level = slog.LevelInfo
	}
	w.logger.Log(ctx, level, "documents that are no sessions are left out of searches",
		slog.Int64("count", found.Count), slog.Any("some", some))
}
