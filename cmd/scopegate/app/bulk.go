package app

import (
	"context"
	"time"

	"github.com/scopegate/scopegate/session"
)

// BulkStore is an engine as a large import uses it.
type BulkStore struct {
	session.Writer

	batch  int // lines that are best written at a time
	AtOnce int // writes that are best under way at a time
	// Finish makes what was written searchable and publishes it, or makes searches of
	// it fast. changed is the number of records that were written.
	Finish func(ctx context.Context, changed int64) error
	Close  func() error
}

// finishTimeout bounds how long an import may take to finish that was cut short.
const finishTimeout = time.Minute

// BatchOf is how many lines are written at a time: as asked for, else what suits
// the engine.
func (s *BulkStore) BatchOf(asked *int) int {
	if asked != nil {
		return *asked
	}
	return s.batch
}

// FinishAnyway is for an import that did not come to its end, perhaps because
// ctx did: what is counted as stored shall be found.
func (s *BulkStore) FinishAnyway(ctx context.Context, changed int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	return s.Finish(ctx, changed)
}
