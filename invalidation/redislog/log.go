package redislog

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/pause"
	"github.com/scopegate/scopegate/tenancy"
)

var _ invalidation.Log = (*Log)(nil)

const (
	wait         = 500 * time.Millisecond // for entries, at a time
	maxPages     = 80                     // read at a time; a follower that is further behind begins anew
	maxHistory   = 10_000                 // entries read at the start
	maxChanges   = 1 << 18                // companies of those entries
	attempts     = 50                     // of an append, if others append at that time
	repairs      = 5                      // of a damaged log, at a time
	retryPause   = 10 * time.Millisecond  // between attempts
	maxCompanies = 10_000                 // companies of an entry, at most

	beginning = "0-0" // the cursor before all entries
)

// End is the cursor behind all entries.
const End = "+"

// Errors of a log that others write to as well.
var (
	ErrContended = errors.New("the invalidation log is being written to by too many at once")
	ErrTampered  = errors.New("the invalidation log is being altered by somebody else: what is written to it does not stay")
)

// errDamaged says that something in the log was not written by a gateway.
var errDamaged = errors.New("the entry is damaged")

// Log is an invalidation log in Redis: a stream, and a hash that holds its
// epoch and the sequence of its last entry. Entries are remembered for 20
// minutes. Each carries a MAC over its epoch, its sequence and its companies.
//
// An epoch ends with the term of the master that it began in, which its name
// holds: a Redis that has lost its data, has come back with older data, or was a
// replica until now, begins a new one. A follower writes with each read, so that
// a replica, or a master that takes no writes, is no log to it.
//
// SECURITY: who can write to the Redis but holds no key can make gateways load
// answers anew. An entry that is taken away or replaced is noticed: by followers
// that have seen it or what came behind it, and by its writer, who reads it back
// when each follower has read it or has fallen silent. What is not noticed: an
// entry that is put back for the writer's look, and an older state of the same
// term that is put back before a gateway starts.
//
// It is safe for use by several goroutines and processes.
type Log struct {
	store Store
	name  string // what MACs are over
	ring  macRing

	client  redis.UniversalClient // of the intents
	intents string                // the stream of Intend
	writer  string                // this process, in its intents

	writing sync.Mutex // held by who appends
	last    ownEntry
}

// ownEntry is what this process appended last; the zero ownEntry: nothing, or it
// was read back.
type ownEntry struct {
	invalidation.Position

	id string
	at time.Time
}

// New is the log of the caches with the same namespace and keys; see
// Options. It uses the connections of r, which stay the caller's to close.
func New(r *redisstore.Client, namespace string, keys [][]byte) (*Log, error) {
	ring, err := newMACRing(keys)
	if err != nil {
		return nil, fmt.Errorf("invalidation log: %w", err)
	}
	sum := sha256.Sum256([]byte("scopegate/log/1\x00" + namespace))
	// The braces keep all keys on one node of a cluster. The keys of the ring
	// change; the name must not, or writers and gateways would part ways while
	// they do.
	name := "scopegate:log:{" + base64.RawURLEncoding.EncodeToString(sum[:16]) + "}:"
	l := over(newRedisStore(r.LogPool(), name), name+"stream", ring)
	l.client, l.intents, l.writer = r.LogPool(), name+"intents", rand.Text()
	return l, nil
}

// NewOver is the log in a store, whose MACs are over a name. It has no intents:
// Intend must not be called.
func NewOver(store Store, name string, keys [][]byte) (*Log, error) {
	ring, err := newMACRing(keys)
	if err != nil {
		return nil, fmt.Errorf("invalidation log: %w", err)
	}
	return over(store, name, ring), nil
}

func over(store Store, name string, ring macRing) *Log {
	return &Log{store: store, name: name, ring: ring}
}

// Append publishes that sessions of these companies were changed. Searches must see
// the changes before it is called. It is certain when Confirm has returned.
func (l *Log) Append(ctx context.Context, companies []tenancy.CompanyID) error {
	companies = sortedCompanies(companies)
	for len(companies) > 0 {
		n := min(maxCompanies, len(companies))
		if err := l.append(ctx, invalidation.Event{Companies: companies[:n]}); err != nil {
			return logError(err)
		}
		companies = companies[n:]
	}
	return nil
}

// AppendAll publishes that sessions of any company may have been changed.
func (l *Log) AppendAll(ctx context.Context) error {
	return logError(l.append(ctx, invalidation.Event{All: true}))
}

// Confirm reads back what was appended last, two seconds after that: by then
// each gateway has read it, or has fallen silent. If it is gone, a new epoch
// begins, so that every gateway knows that it may have missed something. Errors:
// ErrTampered.
func (l *Log) Confirm(ctx context.Context) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.last.id == "" {
		return nil
	}
	if !pause.For(ctx, time.Until(l.last.at.Add(invalidation.Silence))) {
		return ctx.Err()
	}
	return logError(l.readBack(ctx))
}

// Ping reports whether the log can be used.
func (l *Log) Ping(ctx context.Context) error {
	if _, err := l.store.Claim(ctx, rand.Text(), ""); err != nil {
		return logError(err)
	}
	_, err := l.store.Page(ctx, Range{From: End, Backward: true})
	return logError(err)
}

func (l *Log) append(ctx context.Context, event invalidation.Event) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.readBack(ctx); err != nil {
		return err
	}
	entry := Entry{Body: writeEvent(event)}
	for range attempts {
		at, err := l.store.Claim(ctx, rand.Text(), "")
		if err != nil {
			return err
		}
		next := invalidation.Position{Epoch: at.Epoch, Sequence: at.Sequence + 1}
		entry.Sequence, entry.MAC = next.Sequence, l.ring.sign(l.name, next, entry.Body)
		id, err := l.store.Add(ctx, at, entry)
		if err != nil {
			return err
		}
		if id != "" {
			l.last = ownEntry{next, id, time.Now()}
			return nil
		}
		if !pause.Jittered(ctx, retryPause) { // another was first
			return ctx.Err()
		}
	}
	return ErrContended
}

// readBack looks whether what was appended last is still there, and ends the
// epoch if it is not.
func (l *Log) readBack(ctx context.Context) error {
	if l.last.id == "" || time.Since(l.last.at) > invalidation.Memory/2 { // it may have been trimmed
		return nil
	}
	for range repairs {
		page, err := l.store.Page(ctx, Range{From: l.last.id})
		if err != nil {
			return err
		}
		if page.Head.Known() && (page.Head.Epoch != l.last.Epoch || l.holdsLast(page)) {
			l.last = ownEntry{}
			return nil
		}
		if _, err := l.store.Claim(ctx, rand.Text(), l.last.Epoch); err != nil {
			return err
		}
		if !pause.Jittered(ctx, retryPause) {
			return ctx.Err()
		}
	}
	return ErrTampered
}

// holdsLast reports whether the page begins with what was appended last.
func (l *Log) holdsLast(page Page) bool {
	return len(page.Entries) > 0 && page.Entries[0].ID == l.last.id && page.Entries[0].Sequence == l.last.Sequence &&
		page.Head.Sequence >= l.last.Sequence
}

// Next implements invalidation.Log. A page holds stream and head of one moment, so
// that the head shows whether the stream is complete.
func (l *Log) Next(ctx context.Context, at invalidation.Offset) (invalidation.Batch, error) {
	if !at.Known() {
		batch, err := l.begin(ctx)
		return batch, logError(err)
	}
	woken, err := l.store.Wait(ctx, at.Cursor)
	if err != nil {
		return invalidation.Batch{}, logError(err)
	}
	batch, complete, err := l.follow(ctx, at, woken)
	if err != nil || complete {
		return batch, logError(err)
	}
	// Numbers of this epoch may stand for two entries: positions of it mean nothing
	// any more, to any gateway.
	if _, err := l.store.Claim(ctx, rand.Text(), at.Epoch); err != nil {
		return invalidation.Batch{}, logError(err)
	}
	batch, err = l.begin(ctx)
	return batch, logError(err)
}

// follow reads what is after the offset; false if an entry is missing or forged.
// The entry of the offset must still be there: a replica that has become the master
// may lack it, and have another under its number. So must the entry that has woken
// the caller, if there was one.
func (l *Log) follow(ctx context.Context, at invalidation.Offset, woken string) (invalidation.Batch, bool, error) {
	batch := invalidation.Batch{Offset: at, Complete: at.Sequence}
	for range maxPages {
		began := time.Now()
		page, err := l.store.Page(ctx, Range{From: batch.Cursor})
		if err != nil {
			return invalidation.Batch{}, false, err
		}
		if page.Head.Epoch != at.Epoch || page.Damaged || !l.goOn(&batch, page.Entries, woken) {
			return invalidation.Batch{}, false, nil
		}
		woken = ""
		if !page.More {
			batch.Age = time.Since(began)
			return batch, batch.Sequence == page.Head.Sequence, nil
		}
	}
	return invalidation.Batch{}, false, nil
}

// goOn adds entries, the first of which is the one that batch ends with.
func (l *Log) goOn(batch *invalidation.Batch, entries []Entry, woken string) bool {
	if batch.Cursor != beginning {
		if len(entries) == 0 || entries[0].ID != batch.Cursor || entries[0].Sequence != batch.Sequence {
			return false
		}
		entries = entries[1:]
	}
	if woken != "" && (len(entries) == 0 || entries[0].ID != woken) {
		return false
	}
	for _, entry := range entries {
		event, err := l.event(batch.Epoch, entry)
		if err != nil || event.Sequence != batch.Sequence+1 {
			return false
		}
		batch.Sequence, batch.Cursor = event.Sequence, entry.ID
		batch.Events = append(batch.Events, event)
	}
	return true
}

// begin reads what there is, as far back as it is complete. A log whose head and
// last entry do not match has lost something, and begins a new epoch.
func (l *Log) begin(ctx context.Context) (invalidation.Batch, error) {
	for range repairs {
		began := time.Now()
		page, err := l.store.Page(ctx, Range{From: End, Backward: true})
		if err != nil {
			return invalidation.Batch{}, err
		}
		if l.ends(page) {
			batch, err := l.history(ctx, page)
			batch.Age = time.Since(began)
			return batch, err
		}
		if _, err := l.store.Claim(ctx, rand.Text(), page.Head.Epoch); err != nil {
			return invalidation.Batch{}, err
		}
	}
	return invalidation.Batch{}, ErrTampered
}

// ends reports whether the page, read from the end, begins with the head's own
// entry.
func (l *Log) ends(page Page) bool {
	if len(page.Entries) == 0 {
		return page.Head.Known() && page.Head.Sequence == 0 && !page.Damaged
	}
	event, err := l.event(page.Head.Epoch, page.Entries[0])
	return err == nil && event.Sequence == page.Head.Sequence
}

// history reads backward from a page on.
func (l *Log) history(ctx context.Context, page Page) (invalidation.Batch, error) {
	batch := invalidation.Batch{Offset: invalidation.Offset{Position: page.Head, Cursor: beginning}, Complete: page.Head.Sequence}
	if len(page.Entries) > 0 {
		batch.Cursor = page.Entries[0].ID
	}
	companies := 0
	for {
		complete := true
		oldest := ""
		for _, entry := range page.Entries {
			event, err := l.event(batch.Epoch, entry)
			if complete = err == nil && event.Sequence == batch.Complete; !complete {
				break // what is older is unknown
			}
			batch.Complete--
			batch.Events = append(batch.Events, event)
			companies += len(event.Companies)
			oldest = entry.ID
		}
		if !complete || !page.More || oldest == "" || len(batch.Events) >= maxHistory || companies >= maxChanges {
			break
		}
		var err error
		if page, err = l.store.Page(ctx, Range{From: oldest, Backward: true, Behind: true}); err != nil {
			return invalidation.Batch{}, err
		}
	}
	slices.Reverse(batch.Events)
	return batch, nil
}

// event reads an entry.
//
// SECURITY: an entry without a good MAC is damaged, whatever else it says.
func (l *Log) event(epoch string, entry Entry) (invalidation.Event, error) {
	if !l.ring.verify(l.name, invalidation.Position{Epoch: epoch, Sequence: entry.Sequence}, entry.Body, entry.MAC) {
		return invalidation.Event{}, errDamaged
	}
	event, err := readEvent(entry.Body)
	event.Sequence = entry.Sequence
	return event, err
}

// logError says that an error is one of the log; nil stays nil.
func logError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("invalidation log: %w", err)
}
