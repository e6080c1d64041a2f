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
// often as many of them as before are told of again.
const (
	faultyEvery      = time.Minute
	faultyRemindedIn = time.Hour
)

// faultySource is what other producers can write no sessions into.
type faultySource interface {
	Faulty(ctx context.Context) (elastic.Faulty, error)
}

// watchFaulty counts documents that are no sessions, where others than the
// importer can write them, until it is closed: by a metric, and in the log with
// the _id of some.
func watchFaulty(store Engine, provider metric.MeterProvider, logger *slog.Logger, closers *Closers) error {
	source, ok := store.(faultySource)
	if !ok {
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
	source faultySource
	logger *slog.Logger
	count  atomic.Int64

	told   int64 // how many the log was told of last
	toldAt time.Time
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

// look asks once. That Elasticsearch does not answer, others tell.
func (w *faultyWatch) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, faultyEvery)
	defer cancel()
	found, err := w.source.Faulty(ctx)
	if err != nil {
		return
	}
	w.count.Store(found.Count)
	if found.Count == w.told && (found.Count == 0 || time.Since(w.toldAt) < faultyRemindedIn) {
		return
	}
	w.told, w.toldAt = found.Count, time.Now()
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
