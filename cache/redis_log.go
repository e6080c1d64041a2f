package cache

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
	"github.com/scopegate/scopegate/tenancy"
)

var _ Log = (*RedisLog)(nil)

const (
	logWait     = 500 * time.Millisecond // for news, at a time
	logPages    = 80                     // read at a time; who is further behind begins anew
	logHistory  = 10_000                 // entries read at the start
	logAttempts = 50                     // of an append, if others append at that time
	logMends    = 5                      // of a log that is not as it should be, at a time
	logPause    = 10 * time.Millisecond  // between attempts
	logCompany  = 10_000                 // companies of an entry, at most

	logBeginning = "0-0" // the cursor before all entries
	logEnd       = "+"   // and that behind them
)

// Errors of a log that others write to as well.
var (
	ErrLogContended = errors.New("the invalidation log is being written to by too many at once")
	ErrLogTampered  = errors.New("the invalidation log is being altered by somebody else: what is written to it does not stay")
)

// RedisLog is an invalidation log in Redis: a stream, and a hash that holds its
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
type RedisLog struct {
	store logStore
	name  string // what MACs are over
	ring  macRing

	client  redis.UniversalClient // of the notes
	intents string                // the stream of Intend
	writer  string                // whose notes are this process's

	writing sync.Mutex // held by who appends
	last    ownEntry
}

// ownEntry is what this process appended last; the zero one is none, or was
// read back.
type ownEntry struct {
	Position

	id string
	at time.Time
}

// NewRedisLog is the log of the caches with the same namespace and keys; see
// Options. It uses the connections of r, which stay the caller's to close.
func NewRedisLog(r *redisstore.Client, namespace string, keys [][]byte) (*RedisLog, error) {
	ring, err := newMACRing(keys)
	if err != nil {
		return nil, fmt.Errorf("invalidation log: %w", err)
	}
	sum := sha256.Sum256([]byte("scopegate/log/1\x00" + namespace))
	// The braces keep all keys on one node of a cluster. The keys of the ring
	// change; the name must not, or writers and gateways would part ways while
	// they do.
	name := namePrefix + "log:{" + base64.RawURLEncoding.EncodeToString(sum[:16]) + "}:"
	l := redisLogOn(newRedisLogStore(r.LogPool(), name), name+"stream", ring)
	l.client, l.intents, l.writer = r.LogPool(), name+"intents", rand.Text()
	return l, nil
}

func redisLogOn(store logStore, name string, ring macRing) *RedisLog {
	return &RedisLog{store: store, name: name, ring: ring}
}

// Append says that sessions of these companies were changed. Searches must see
// the changes by then. It is sure when Confirm has returned.
func (l *RedisLog) Append(ctx context.Context, companies []tenancy.CompanyID) error {
	companies = sortedCompanies(companies)
	for len(companies) > 0 {
		n := min(logCompany, len(companies))
		if err := l.append(ctx, Touch{Companies: companies[:n]}); err != nil {
			return logError(err)
		}
		companies = companies[n:]
	}
	return nil
}

// AppendAll says that sessions of any company may have been changed.
func (l *RedisLog) AppendAll(ctx context.Context) error {
	return logError(l.append(ctx, Touch{All: true}))
}

// Confirm reads back what was appended last, two seconds after that: by then
// each gateway has read it, or has fallen silent. Where it is gone, every
// gateway is told that it may have missed something. Errors: ErrLogTampered.
func (l *RedisLog) Confirm(ctx context.Context) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.last.id == "" {
		return nil
	}
	due := time.NewTimer(time.Until(l.last.at.Add(silence)))
	defer due.Stop()
	select {
	case <-due.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return logError(l.readBack(ctx))
}

// Ping reports whether the log can be used.
func (l *RedisLog) Ping(ctx context.Context) error {
	if _, err := l.store.claim(ctx, rand.Text(), ""); err != nil {
		return logError(err)
	}
	_, err := l.store.page(ctx, logRange{from: logEnd, backward: true})
	return logError(err)
}

func (l *RedisLog) append(ctx context.Context, touch Touch) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.readBack(ctx); err != nil {
		return err
	}
	entry := logEntry{body: writeTouch(touch)}
	for range logAttempts {
		at, err := l.store.claim(ctx, rand.Text(), "")
		if err != nil {
			return err
		}
		next := Position{Epoch: at.Epoch, Sequence: at.Sequence + 1}
		entry.sequence, entry.mac = next.Sequence, l.ring.sign(l.name, next, entry.body)
		id, err := l.store.add(ctx, at, entry)
		if err != nil {
			return err
		}
		if id != "" {
			l.last = ownEntry{next, id, time.Now()}
			return nil
		}
		if !pauseFor(ctx, logPause) { // another was first
			return ctx.Err()
		}
	}
	return ErrLogContended
}

// readBack looks whether what was appended last is still there, and ends the
// epoch if it is not.
func (l *RedisLog) readBack(ctx context.Context) error {
	if l.last.id == "" || time.Since(l.last.at) > touchMemory/2 { // it may have been trimmed
		return nil
	}
	for range logMends {
		page, err := l.store.page(ctx, logRange{from: l.last.id})
		if err != nil {
			return err
		}
		if page.head.known() && (page.head.Epoch != l.last.Epoch || l.stands(page)) {
			l.last = ownEntry{}
			return nil
		}
		if _, err := l.store.claim(ctx, rand.Text(), l.last.Epoch); err != nil {
			return err
		}
		if !pauseFor(ctx, logPause) {
			return ctx.Err()
		}
	}
	return ErrLogTampered
}

func (l *RedisLog) stands(page logPage) bool {
	return len(page.entries) > 0 && page.entries[0].id == l.last.id && page.entries[0].sequence == l.last.Sequence &&
		page.head.Sequence >= l.last.Sequence
}

// Next implements Log. A page holds stream and head of one moment, so that the
// head tells whether the stream is whole.
func (l *RedisLog) Next(ctx context.Context, at Mark) (News, error) {
	if !at.known() {
		news, err := l.begin(ctx)
		return news, logError(err)
	}
	woken, err := l.store.wait(ctx, at.Cursor)
	if err != nil {
		return News{}, logError(err)
	}
	news, whole, err := l.follow(ctx, at, woken)
	if err != nil || whole {
		return news, logError(err)
	}
	// Numbers of this epoch may stand for two entries: positions noted in it
	// say nothing any more, to any gateway.
	if _, err := l.store.claim(ctx, rand.Text(), at.Epoch); err != nil {
		return News{}, logError(err)
	}
	news, err = l.begin(ctx)
	return news, logError(err)
}

// follow reads what is behind the mark; false if an entry is missing, or forged.
// The mark's own must still be there: a replica that has become the master may
// lack it, and have another under its number since. So must the one that has
// woken the caller, if there was one.
func (l *RedisLog) follow(ctx context.Context, at Mark, woken string) (News, bool, error) {
	news := News{Mark: at, Complete: at.Sequence}
	for range logPages {
		asked := time.Now()
		page, err := l.store.page(ctx, logRange{from: news.Cursor})
		if err != nil {
			return News{}, false, err
		}
		if page.head.Epoch != at.Epoch || page.damaged || !l.goOn(&news, page.entries, woken) {
			return News{}, false, nil
		}
		woken = ""
		if !page.more {
			news.Age = time.Since(asked)
			return news, news.Sequence == page.head.Sequence, nil
		}
	}
	return News{}, false, nil
}

// goOn adds entries, the first of which is the one that news ends with.
func (l *RedisLog) goOn(news *News, entries []logEntry, woken string) bool {
	if news.Cursor != logBeginning {
		if len(entries) == 0 || entries[0].id != news.Cursor || entries[0].sequence != news.Sequence {
			return false
		}
		entries = entries[1:]
	}
	if woken != "" && (len(entries) == 0 || entries[0].id != woken) {
		return false
	}
	for _, entry := range entries {
		touch, err := l.touch(news.Epoch, entry)
		if err != nil || touch.Sequence != news.Sequence+1 {
			return false
		}
		news.Sequence, news.Cursor = touch.Sequence, entry.id
		news.Touches = append(news.Touches, touch)
	}
	return true
}

// begin reads what there is, as far back as it is whole. A log whose head and
// last entry do not fit each other has lost something, and begins anew.
func (l *RedisLog) begin(ctx context.Context) (News, error) {
	for range logMends {
		asked := time.Now()
		page, err := l.store.page(ctx, logRange{from: logEnd, backward: true})
		if err != nil {
			return News{}, err
		}
		if l.ends(page) {
			news, err := l.history(ctx, page)
			news.Age = time.Since(asked)
			return news, err
		}
		if _, err := l.store.claim(ctx, rand.Text(), page.head.Epoch); err != nil {
			return News{}, err
		}
	}
	return News{}, ErrLogTampered
}

// ends reports whether the page, read from the end, begins with the head's own
// entry.
func (l *RedisLog) ends(page logPage) bool {
	if len(page.entries) == 0 {
		return page.head.known() && page.head.Sequence == 0 && !page.damaged
	}
	touch, err := l.touch(page.head.Epoch, page.entries[0])
	return err == nil && touch.Sequence == page.head.Sequence
}

// history reads backward from a page on.
func (l *RedisLog) history(ctx context.Context, page logPage) (News, error) {
	news := News{Mark: Mark{page.head, logBeginning}, Complete: page.head.Sequence}
	if len(page.entries) > 0 {
		news.Cursor = page.entries[0].id
	}
	companies := 0
	for {
		whole := true
		oldest := ""
		for _, entry := range page.entries {
			touch, err := l.touch(news.Epoch, entry)
			if whole = err == nil && touch.Sequence == news.Complete; !whole {
				break // what is older cannot be told of
			}
			news.Complete--
			news.Touches = append(news.Touches, touch)
			companies += len(touch.Companies)
			oldest = entry.id
		}
		if !whole || !page.more || oldest == "" || len(news.Touches) >= logHistory || companies >= maxTouches {
			break
		}
		var err error
		if page, err = l.store.page(ctx, logRange{from: oldest, backward: true, behind: true}); err != nil {
			return News{}, err
		}
	}
	slices.Reverse(news.Touches)
	return news, nil
}

// touch reads an entry.
//
// SECURITY: one without a good MAC is none, whatever else it says.
func (l *RedisLog) touch(epoch string, entry logEntry) (Touch, error) {
	if !l.ring.verify(l.name, Position{epoch, entry.sequence}, entry.body, entry.mac) {
		return Touch{}, errDamaged
	}
	touch, err := readTouch(entry.body)
	touch.Sequence = entry.sequence
	return touch, err
}

// logError tells which part an error is of; nil stays nil.
func logError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("invalidation log: %w", err)
}
