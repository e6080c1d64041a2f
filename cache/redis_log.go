package cache

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/tenancy"
)

var _ Log = (*RedisLog)(nil)

const (
	logWait     = 500 * time.Millisecond // for news, at a time
	logRead     = 1000                   // entries read at a time
	logHistory  = 10_000                 // entries read at the start
	logAttempts = 50                     // of an append, if others append at that time
	logCompany  = 10_000                 // companies of an entry, at most

	logBeginning = "0-0" // the cursor before all entries
)

// ErrLogContended says that so many others write to the log that there was no
// turn.
var ErrLogContended = errors.New("the invalidation log is being written to by too many at once")

// RedisLog is an invalidation log in Redis: a stream, and a hash that holds its
// epoch and the sequence of its last entry. Entries are remembered for 20
// minutes. Each carries a MAC over its epoch, its sequence and its companies:
// who can write to the Redis but holds no key can make gateways load answers
// anew, and hide a touch only by cutting the log off, which is noticed.
//
// A Redis that has lost its data begins a new epoch. It is safe for use by
// several goroutines and processes.
type RedisLog struct {
	client       redis.UniversalClient
	head, stream string
	ring         macRing
}

// NewRedisLog is the log of the caches with the same namespace and keys; see
// Options. It uses the connections of r, which stay the caller's to close.
func NewRedisLog(r *Redis, namespace string, keys [][]byte) (*RedisLog, error) {
	ring, err := newMACRing(keys)
	if err != nil {
		return nil, fmt.Errorf("invalidation log: %w", err)
	}
	sum := sha256.Sum256([]byte("scopegate/log/1\x00" + namespace))
	// The braces keep both on one node of a cluster. Keys change; the name must
	// not, or writers and gateways would part ways while they do.
	name := namePrefix + "log:{" + base64.RawURLEncoding.EncodeToString(sum[:16]) + "}:"
	return &RedisLog{client: r.patient, head: name + "head", stream: name + "stream", ring: ring}, nil
}

// Append says that sessions of these companies were changed. Searches must see
// the changes by then.
func (l *RedisLog) Append(ctx context.Context, companies []tenancy.CompanyID) error {
	companies = sortedCompanies(companies)
	for len(companies) > 0 {
		n := min(logCompany, len(companies))
		if err := l.append(ctx, Touch{Companies: companies[:n]}); err != nil {
			return err
		}
		companies = companies[n:]
	}
	return nil
}

// AppendAll says that sessions of any company may have been changed.
func (l *RedisLog) AppendAll(ctx context.Context) error { return l.append(ctx, Touch{All: true}) }

// Ping reports whether the log can be used.
func (l *RedisLog) Ping(ctx context.Context) error {
	_, err := l.claim(ctx)
	return err
}

func (l *RedisLog) append(ctx context.Context, touch Touch) error {
	body := writeTouch(touch)
	for range logAttempts {
		at, err := l.claim(ctx)
		if err != nil {
			return err
		}
		next := Position{Epoch: at.Epoch, Sequence: at.Sequence + 1}
		done, err := appendScript().Run(ctx, l.client, []string{l.head, l.stream},
			at.Epoch, strconv.FormatUint(at.Sequence, 10), strconv.FormatUint(next.Sequence, 10),
			body, l.ring.sign(l.stream, next, body), touchMemory.Milliseconds()).Int()
		if err != nil {
			return logError(err)
		}
		if done == 1 {
			return nil
		}
		if !pauseFor(ctx, 10*time.Millisecond) { // another was first
			return ctx.Err()
		}
	}
	return ErrLogContended
}

// claim is where the log stands; it begins an epoch if there is none.
func (l *RedisLog) claim(ctx context.Context) (Position, error) {
	head, err := claimScript().Run(ctx, l.client, []string{l.head, l.stream}, rand.Text()).StringSlice()
	if err != nil {
		return Position{}, logError(err)
	}
	return readHead(head)
}

// Next implements Log. The stream and its head are read in one transaction, so
// that the head tells whether the stream is whole.
func (l *RedisLog) Next(ctx context.Context, at Mark) (News, error) {
	news, err := l.read(ctx, at)
	if err != nil || news.Position != at.Position || news.Complete != at.Sequence {
		return news, err
	}
	err = l.client.XRead(ctx, &redis.XReadArgs{Streams: []string{l.stream, news.Cursor}, Count: 1, Block: logWait}).Err()
	if err != nil && !errors.Is(err, redis.Nil) {
		return News{}, logError(err)
	}
	return l.read(ctx, at)
}

func (l *RedisLog) read(ctx context.Context, at Mark) (News, error) {
	if !at.known() {
		return l.begin(ctx)
	}
	head, entries, err := l.look(ctx, func(p redis.Pipeliner) *redis.XMessageSliceCmd {
		return p.XRangeN(ctx, l.stream, at.Cursor, "+", logRead)
	})
	if err != nil {
		return News{}, err
	}
	news, whole := l.follow(at, head, entries)
	if whole {
		return news, nil
	}
	if head.Epoch == at.Epoch {
		if err := l.renew(ctx, at.Epoch); err != nil {
			return News{}, err
		}
	}
	return l.begin(ctx)
}

// renew begins another epoch after the one given, in which a number may stand
// for two entries: positions noted in it say nothing any more, to any gateway.
func (l *RedisLog) renew(ctx context.Context, epoch string) error {
	err := renewScript().Run(ctx, l.client, []string{l.head, l.stream}, epoch, rand.Text()).Err()
	if err != nil && !errors.Is(err, redis.Nil) {
		return logError(err)
	}
	return nil
}

// look reads head and entries at one moment. The head's position is unknown if
// there is none.
func (l *RedisLog) look(ctx context.Context, list func(redis.Pipeliner) *redis.XMessageSliceCmd) (Position, []redis.XMessage, error) {
	pipeline := l.client.TxPipeline()
	fields := pipeline.HMGet(ctx, l.head, "epoch", "seq")
	entries := list(pipeline)
	if _, err := pipeline.Exec(ctx); err != nil {
		return Position{}, nil, logError(err)
	}
	values := fields.Val()
	epoch, _ := values[0].(string)
	sequence, _ := values[1].(string)
	head, err := readHead([]string{epoch, sequence})
	if epoch == "" {
		return Position{}, entries.Val(), nil
	}
	return head, entries.Val(), err
}

// follow reads entries from that of the mark on; false if one is missing, or
// forged. The mark's own must still be there: a replica that has become the
// master may lack it, and have another under its number since.
func (l *RedisLog) follow(at Mark, head Position, entries []redis.XMessage) (News, bool) {
	if head.Epoch != at.Epoch {
		return News{}, false
	}
	read := len(entries)
	if at.Cursor != logBeginning {
		if read == 0 || entries[0].ID != at.Cursor {
			return News{}, false
		}
		entries = entries[1:]
	}
	news := News{Mark: at, Complete: at.Sequence}
	for _, entry := range entries {
		touch, err := l.touch(head.Epoch, entry)
		if err != nil || touch.Sequence != news.Sequence+1 {
			return News{}, false
		}
		news.Sequence, news.Cursor = touch.Sequence, entry.ID
		news.Touches = append(news.Touches, touch)
	}
	return news, news.Sequence == head.Sequence || read == logRead && news.Sequence < head.Sequence
}

// begin reads what there is, as far back as it is whole.
func (l *RedisLog) begin(ctx context.Context) (News, error) {
	head, entries, err := l.look(ctx, func(p redis.Pipeliner) *redis.XMessageSliceCmd {
		return p.XRevRangeN(ctx, l.stream, "+", "-", logHistory)
	})
	if err != nil {
		return News{}, err
	}
	if !head.known() {
		head, err = l.claim(ctx)
		return News{Mark: Mark{head, logBeginning}, Complete: head.Sequence}, err
	}
	news := News{Mark: Mark{head, logBeginning}, Complete: head.Sequence}
	if len(entries) > 0 {
		news.Cursor = entries[0].ID
	}
	for _, entry := range entries {
		touch, err := l.touch(head.Epoch, entry)
		if whole := err == nil && touch.Sequence == news.Complete; !whole {
			break // what is older cannot be told of
		}
		news.Complete--
		news.Touches = append(news.Touches, touch)
	}
	slices.Reverse(news.Touches)
	return news, nil
}

// touch reads an entry.
//
// SECURITY: one without a good MAC is none, whatever else it says.
func (l *RedisLog) touch(epoch string, entry redis.XMessage) (Touch, error) {
	field := func(name string) string { text, _ := entry.Values[name].(string); return text }
	sequence, err := strconv.ParseUint(field("seq"), 10, 64)
	if err != nil {
		return Touch{}, errDamaged
	}
	body := []byte(field("body"))
	if !l.ring.verify(l.stream, Position{epoch, sequence}, body, []byte(field("mac"))) {
		return Touch{}, errDamaged
	}
	touch, err := readTouch(body)
	touch.Sequence = sequence
	return touch, err
}

func readHead(fields []string) (Position, error) {
	if len(fields) != 2 {
		return Position{}, fmt.Errorf("invalidation log: its head: %w", errDamaged)
	}
	sequence, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return Position{}, fmt.Errorf("invalidation log: its head: %w", errDamaged)
	}
	return Position{fields[0], sequence}, nil
}

func logError(err error) error { return fmt.Errorf("invalidation log: %w", err) }
