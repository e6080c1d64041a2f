package elastic

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// editAttempts is how often an edit starts again because another producer changed a
// document that it was about to write.
const editAttempts = 5

// errHalfway reports that only a part of an edit was written; see EditDirectory.
var errHalfway = errors.New("elasticsearch: another producer has changed the directory meanwhile: a part of the changes may be written")

// EditDirectory passes the directory to f and writes the changes that f returns,
// step by step. Two edits never run at the same time: each holds the directory's
// lock from before it reads until it has written. Other producers do not know the
// lock, so each document is written only if it still has the version that was read.
// If such a conflict occurs before anything is written, f is called again with the
// new directory.
//
// Errors: those of f, unchanged, with nothing written; search.ErrConflict, when
// others keep the directory busy for long, with nothing written; those of Write,
// and any other error, after which some of the changes may be written.
func (s *Store) EditDirectory(ctx context.Context, f func(tenancy.Records) ([][]session.Change, error)) (written session.Written, err error) {
	if err := s.Ready(ctx); err != nil {
		return session.Written{}, err
	}
	var l *lock
	err = s.retryBusy(ctx, func() (err error) { l, err = s.lockDirectory(ctx); return err })
	if err != nil {
		return session.Written{}, err
	}
	err = l.hold(ctx, func(ctx context.Context) error {
		for attempt := 1; ; attempt++ {
			written, err = s.tryEdit(ctx, f)
			switch {
			case !errors.Is(err, errConflict):
				return err
			case written.Upserted+written.Deleted > 0:
				return errHalfway
			case attempt == editAttempts:
				return fmt.Errorf("elasticsearch: %w", search.ErrConflict)
			}
		}
	})
	return written, err
}

func (s *Store) tryEdit(ctx context.Context, f func(tenancy.Records) ([][]session.Change, error)) (written session.Written, err error) {
	var d directory
	err = s.retryBusy(ctx, func() (err error) { d, err = s.loadDirectory(ctx); return err })
	if err != nil {
		return written, err
	}
	steps, err := f(d.records)
	if err != nil {
		return written, err
	}
	for _, step := range steps {
		some, err := s.writeSeen(ctx, step, d.seen)
		written = sum(written, some)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// writeSeen writes changes to documents that still have the versions in seen. With
// an error it also returns what is known to be written.
func (s *Store) writeSeen(ctx context.Context, changes []session.Change, seen map[place]*revision) (written session.Written, err error) {
	if len(changes) == 0 {
		return written, nil
	}
	ops := make([]operation, len(changes))
	for i, c := range changes {
		op, err := s.operation(c)
		if err != nil {
			return written, err
		}
		if seen[op.place] == nil {
			seen[op.place] = &revision{}
		}
		op.seen, op.nth = seen[op.place], i
		ops[i] = op
	}
	var done bulked
	for _, round := range rounds(ops) {
		for _, portion := range s.portions(round) {
			some, err := s.bulk(ctx, portion, refreshNow)
			done.add(some)
			if err := cmp.Or(err, done.err()); err != nil {
				return done.written, err
			}
		}
	}
	return done.written, nil
}
