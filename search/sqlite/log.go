package sqlite

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/tenancy"
)

// logPoll is the interval at which the database is asked for new events; after
// logPolls attempts without events an empty batch is returned.
const (
	logPoll  = 100 * time.Millisecond
	logPolls = 5
)

// Log returns the invalidation log that the store keeps in its own transactions: a
// search that begins after an event was read sees the change.
func (s *Store) Log() invalidation.Log { return changeLog{s} }

type changeLog struct{ store *Store }

// Next implements invalidation.Log.
func (l changeLog) Next(ctx context.Context, at invalidation.Offset) (invalidation.Batch, error) {
	if at.Epoch == "" {
		found, err := l.store.InvalidationsSince(ctx, -1)
		return toBatch(found, found.Sequence), err
	}
	poll := time.NewTicker(logPoll)
	defer poll.Stop()
	for asked := 1; ; asked++ {
		found, err := l.store.InvalidationsSince(ctx, int64(at.Sequence))
		if err != nil || found.Sequence != int64(at.Sequence) || asked == logPolls {
			return toBatch(found, int64(at.Sequence)), err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return invalidation.Batch{}, ctx.Err()
		}
	}
}

// toBatch groups the companies by the sequence number of their last change.
func toBatch(found Invalidations, complete int64) invalidation.Batch {
	bySequence := map[int64][]tenancy.CompanyID{}
	for company, sequence := range found.Companies {
		bySequence[sequence] = append(bySequence[sequence], company)
	}
	if _, others := bySequence[found.All]; found.All > 0 && !others {
		bySequence[found.All] = nil
	}
	batch := invalidation.Batch{
		Offset:   invalidation.Offset{Position: invalidation.Position{Epoch: found.Epoch, Sequence: uint64(found.Sequence)}},
		Complete: uint64(complete),
	}
	for _, sequence := range slices.Sorted(maps.Keys(bySequence)) {
		batch.Events = append(batch.Events, invalidation.Event{
			Sequence: uint64(sequence), Companies: bySequence[sequence], All: sequence == found.All,
		})
	}
	return batch
}
