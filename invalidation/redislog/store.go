package redislog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/budget"
	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/invalidation"
)

// Bounds of one page of the log.
const (
	pageEntries   = 128
	pageBytes     = 256 << 10
	MaxEntryBytes = 64 << 10 // of one entry: those of a gateway have 50,000 at most
)

// beatLife is how long a beat is stored. It is only written, to prove that the
// store takes writes; a log that is followed no more leaves nothing behind.
const beatLife = time.Minute

// maxCalls is how many calls of one log may be under way, those included that
// nobody waits for any more.
const maxCalls = 16

// callTimeout is how long one call may take, beyond the wait for an entry.
const callTimeout = redisstore.LogTimeout

// Store is where a log is stored. Any of its methods may fail, as networks do.
type Store interface {
	// Page writes, to prove that the store takes writes, and reads entries.
	Page(ctx context.Context, q Range) (Page, error)
	// Wait returns the id of the first entry after the cursor, as soon as there is
	// one, and "" if none came within wait, or it cannot be read.
	Wait(ctx context.Context, cursor string) (id string, err error)
	// Claim returns the head. It begins a new epoch, whose name begins with that
	// given, if there is no good head, or if the head's epoch is the one refused.
	Claim(ctx context.Context, epoch, refused string) (invalidation.Position, error)
	// Add appends an entry behind a position, and returns its id; "" if the head
	// is elsewhere.
	Add(ctx context.Context, behind invalidation.Position, entry Entry) (id string, err error)
}

// Range is the entries from an id on, or before one, that one included.
type Range struct {
	From     string
	Backward bool
	Behind   bool // From itself is left out
}

// Page is what the log holds of a range, at one moment.
type Page struct {
	Head    invalidation.Position // unknown: there is no good one
	Entries []Entry
	More    bool // the range has more entries
	Damaged bool // the next entry cannot be read
}

// Entry is an entry as it is stored.
type Entry struct {
	ID       string // the store's own; ids ascend
	Sequence uint64
	Body     []byte
	MAC      []byte
}

// redisStore stores a log in Redis.
type redisStore struct {
	client             redis.UniversalClient
	head, stream, beat string
	calls              *budget.Calls
	claiming           *redis.Script
	paging             *redis.Script
	adding             *redis.Script
}

var _ Store = (*redisStore)(nil)

func newRedisStore(client redis.UniversalClient, name string) *redisStore {
	return &redisStore{
		client: client, head: name + "head", stream: name + "stream", beat: name + "beat",
		calls: budget.NewCalls(maxCalls), claiming: claimScript(), paging: pageScript(), adding: appendScript(),
	}
}

// Page implements Store.
func (s *redisStore) Page(ctx context.Context, q Range) (Page, error) {
	command, from, to := "XRANGE", q.From, "+"
	if q.Backward {
		command, to = "XREVRANGE", "-"
	}
	if q.Behind {
		from = "(" + from
	}
	reply, err := s.run(ctx, s.paging, command, from, to, pageEntries, MaxEntryBytes, pageBytes, beatLife.Milliseconds())
	if err != nil {
		return Page{}, err
	}
	return readPage(reply)
}

// readPage reads what pageScript returns.
func readPage(reply []string) (Page, error) {
	if len(reply) < 3 || len(reply)%4 != 3 {
		return Page{}, fmt.Errorf("a page: %w", errDamaged)
	}
	if reply[0] == "" {
		return Page{}, nil
	}
	head, err := readHead(reply)
	page := Page{Head: head, More: reply[2] == "more", Damaged: reply[2] == "damaged"}
	for fields := reply[3:]; len(fields) > 0; fields = fields[4:] {
		sequence, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			page.Damaged, page.More = true, false
			break
		}
		page.Entries = append(page.Entries, Entry{fields[0], sequence, []byte(fields[2]), []byte(fields[3])})
	}
	return page, err
}

// Wait implements Store.
func (s *redisStore) Wait(ctx context.Context, cursor string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+callTimeout)
	defer cancel()
	streams, err := budget.Run(ctx, s.calls, func(ctx context.Context) ([]redis.XStream, error) {
		return s.client.XRead(ctx, &redis.XReadArgs{Streams: []string{s.stream, cursor}, Count: 1, Block: wait}).Result()
	})
	switch {
	case errors.Is(err, redis.Nil), redis.HasErrorPrefix(err, "WRONGTYPE"), errors.Is(err, redisstore.ErrAnswer):
		return "", nil // reading a page reports what is wrong
	case err != nil:
		return "", err
	case len(streams) == 0 || len(streams[0].Messages) == 0:
		return "", nil
	}
	return streams[0].Messages[0].ID, nil
}

// Claim implements Store.
func (s *redisStore) Claim(ctx context.Context, epoch, refused string) (invalidation.Position, error) {
	reply, err := s.run(ctx, s.claiming, epoch, refused)
	if err != nil {
		return invalidation.Position{}, err
	}
	return readHead(reply)
}

// Add implements Store.
func (s *redisStore) Add(ctx context.Context, behind invalidation.Position, entry Entry) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return budget.Run(ctx, s.calls, func(ctx context.Context) (string, error) {
		return s.adding.Run(ctx, s.client, []string{s.head, s.stream},
			behind.Epoch, strconv.FormatUint(behind.Sequence, 10), strconv.FormatUint(entry.Sequence, 10),
			entry.Body, entry.MAC, invalidation.Memory.Milliseconds()).Text()
	})
}

// run runs a script that returns a list.
func (s *redisStore) run(ctx context.Context, script *redis.Script, arguments ...any) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return budget.Run(ctx, s.calls, func(ctx context.Context) ([]string, error) {
		return script.Run(ctx, s.client, []string{s.head, s.stream, s.beat}, arguments...).StringSlice()
	})
}

// readHead reads an epoch and a sequence.
func readHead(fields []string) (invalidation.Position, error) {
	if len(fields) < 2 || fields[0] == "" {
		return invalidation.Position{}, fmt.Errorf("its head: %w", errDamaged)
	}
	sequence, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return invalidation.Position{}, fmt.Errorf("its head: %w", errDamaged)
	}
	return invalidation.Position{Epoch: fields[0], Sequence: sequence}, nil
}
