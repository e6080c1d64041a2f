package elastic

import (
	"bytes"
	"context"
	"crypto/rand"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/search"
)

// The directory's lock is a document in an index of its own, where no reader of
// companies and grants, also of an older version, reads it. It exists while
// somebody holds the lock. The holder rewrites it at short intervals. If it stays
// the same for a lease, its holder was killed, and anybody may delete it. Those who
// wait measure the time, so the clocks need not agree. A holder that could not
// renew the lock for half a lease stops its work.
//
// SECURITY: a holder that is suspended for longer than a lease and then goes on may
// still send one request. It replaces no document that was written since, and the
// holder reports a failure.
const (
	lockWord = "directory-lock"
	lockID   = "lock"
	// lockSuffix turns the alias into the name of the index.
	lockSuffix = "-000001"

	firstLockPause   = 10 * time.Millisecond
	longestLockPause = 250 * time.Millisecond
)

// errLockLost: this holder has lost the lock.
var errLockLost = fmt.Errorf("elasticsearch: %w: the lock of the directory was lost on the way: a part of the changes may be written",
	search.ErrUnavailable)

type lock struct {
	store  *Store
	holder string
	at     revision // of the document; for keep alone while that runs
}

// lockAlias is the alias of the lock's index.
func (s *Store) lockAlias() string { return s.options.Index + "-" + lockWord }

// lockDirectory waits until the lock is free and takes it. Errors:
// search.ErrConflict, when others hold it for too long.
func (s *Store) lockDirectory(ctx context.Context) (*lock, error) {
	l := &lock{store: s, holder: rand.Text()}
	var others revision
	var since time.Time
	begun := time.Now()
	for pause := firstLockPause; ; pause = min(2*pause, longestLockPause) {
		err := l.take(ctx)
		switch {
		case err == nil:
			return l, nil
		case errors.Is(err, ErrNoIndex):
			err = s.createLockIndex(ctx)
		case errors.Is(err, errConflict):
			var held lockDocument
			if held, err = s.readLock(ctx); err == nil && held.revision != others {
				others, since = held.revision, time.Now()
			}
		}
		if err != nil {
			return nil, err
		}
		if others.Term != 0 && time.Since(since) >= s.limits.lockLease {
			if err := s.deleteLock(ctx, others); err != nil && !errors.Is(err, errConflict) {
				return nil, err
			}
			others = revision{}
			continue
		}
		if time.Since(begun) >= s.limits.lockWait {
			return nil, fmt.Errorf("elasticsearch: %w: the lock of the directory is held", search.ErrConflict)
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// hold runs f with a context that ends when the lock is lost, and releases the
// lock.
func (l *lock) hold(ctx context.Context, f func(context.Context) error) error {
	steady := context.WithoutCancel(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		l.renewUntil(steady, stop, cancel)
	}()
	err := f(ctx)
	close(stop)
	<-stopped
	if errors.Is(context.Cause(ctx), errLockLost) {
		return errLockLost
	}
	steady, done := context.WithTimeout(steady, l.store.limits.lockLease/2)
	defer done()
	// Nobody else takes the lock for some time after its last renewal. So a failure
	// to release it matters only if somebody else has taken it.
	if released := l.replace(steady, l.store.deleteLock); errors.Is(released, errConflict) {
		return errLockLost
	}
	return err
}

// renewUntil renews the lock until stop is closed or the lock is lost.
func (l *lock) renewUntil(ctx context.Context, stop <-chan struct{}, lose context.CancelCauseFunc) {
	every := l.store.limits.lockLease / 5
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for renewed := time.Now(); ; {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		at := time.Now()
		limited, done := context.WithTimeout(ctx, every)
		err := l.replace(limited, l.renew)
		done()
		switch {
		case err == nil:
			renewed = at
		case errors.Is(err, errConflict), time.Since(renewed) >= l.store.limits.lockLease/2:
			lose(errLockLost)
			return
		}
	}
}

// replace runs f on the lock's version. A conflict may come from an earlier request
// of this holder that was not answered in time; then f runs on the version that
// this request left.
func (l *lock) replace(ctx context.Context, f func(context.Context, revision) error) error {
	err := f(ctx, l.at)
	if !errors.Is(err, errConflict) {
		return err
	}
	held, reading := l.store.readLock(ctx)
	switch {
	case reading != nil:
		return reading
	case held.Source.Holder != l.holder:
		return err
	}
	l.at = held.revision
	return f(ctx, l.at)
}

// take creates the document; errConflict: it exists.
func (l *lock) take(ctx context.Context) error {
	return l.write(ctx, esapi.IndexRequest{OpType: "create"})
}

func (l *lock) renew(ctx context.Context, at revision) error {
	seqNo, term := int(at.SeqNo), int(at.Term)
	return l.write(ctx, esapi.IndexRequest{IfSeqNo: &seqNo, IfPrimaryTerm: &term})
}

func (l *lock) write(ctx context.Context, r esapi.IndexRequest) error {
	source, err := stdjson.Marshal(lockSource{Holder: l.holder})
	if err != nil {
		return fmt.Errorf("elasticsearch: lock: %w", err)
	}
	r.Index, r.DocumentID, r.Body = l.store.lockAlias(), lockID, bytes.NewReader(source)
	r.RequireAlias, r.Instrument = new(true), l.store.client.instrument
	return l.store.client.call(ctx, r, &l.at)
}

func (s *Store) deleteLock(ctx context.Context, at revision) error {
	seqNo, term := int(at.SeqNo), int(at.Term)
	return s.client.call(ctx, esapi.DeleteRequest{
		Index: s.lockAlias(), DocumentID: lockID, IfSeqNo: &seqNo, IfPrimaryTerm: &term, Instrument: s.client.instrument,
	}, nil)
}

type lockSource struct {
	Holder string `json:"holder"`
}

// lockDocument is the lock as it is stored. The zero value means that the lock is
// free.
type lockDocument struct {
	revision

	Source lockSource `json:"_source"`
}

// readLock uses a multi-get for the one document: its answer is no error when the
// document does not exist.
func (s *Store) readLock(ctx context.Context) (lockDocument, error) {
	var a struct {
		Docs []struct {
			lockDocument

			Error *fault `json:"error"`
		} `json:"docs"`
	}
	err := s.client.call(ctx, esapi.MgetRequest{
		Index: s.lockAlias(), Body: strings.NewReader(`{"ids":["` + lockID + `"]}`), Instrument: s.client.instrument,
	}, &a)
	switch {
	case err != nil:
		return lockDocument{}, err
	case len(a.Docs) != 1:
		return lockDocument{}, errAnswer
	case a.Docs[0].Error != nil:
		return lockDocument{}, fmt.Errorf("elasticsearch: %w: lock of the directory: %s", search.ErrUnavailable, a.Docs[0].Error.kind())
	}
	return a.Docs[0].lockDocument, nil
}

// createLockIndex makes the lock's index, unless it exists.
func (s *Store) createLockIndex(ctx context.Context) error {
	body, err := stdjson.Marshal(clause{
		"settings": clause{"index": clause{"number_of_shards": 1, "number_of_replicas": s.options.Replicas}},
		"mappings": clause{"dynamic": "strict", "properties": clause{"holder": unsearched()}},
		"aliases":  clause{s.lockAlias(): clause{}},
	})
	if err != nil {
		return fmt.Errorf("elasticsearch: lock: %w", err)
	}
	err = s.client.call(ctx, esapi.IndicesCreateRequest{
		Index: s.lockAlias() + lockSuffix, Body: bytes.NewReader(body), Instrument: s.client.instrument,
	}, nil)
	if err != nil && !errors.Is(err, errExists) {
		return fmt.Errorf("create %s, which `scopegate index create` does too: %w", s.lockAlias()+lockSuffix, err)
	}
	return nil
}
