package cache

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/budget"
	"github.com/scopegate/scopegate/cache/redisstore"
)

// Bounds of one page of the log.
const (
	logPageEntries = 128
	logPageBytes   = 256 << 10
	logEntryBytes  = 64 << 10 // of one entry: those of a gateway have 50,000 at most
)

// logBeatLife is how long a beat is kept: nobody reads it, and what nobody
// follows any more leaves nothing behind.
const logBeatLife = time.Minute

// logCalls is how many calls of one log may be under way, those included that
// nobody waits for any more.
const logCalls = 16

// logCall is how long one call may take, beyond what it waits for news.
const logCall = redisstore.LogTimeout

// logStore is where a log is kept. Any of its methods may fail, as networks do.
type logStore interface {
	// page writes, to prove that the store takes writes, and reads entries.
	page(ctx context.Context, q logRange) (logPage, error)
	// wait returns the id of the first entry behind one, as soon as there is one,
	// and "" when there was none for logWait, or it cannot be read.
	wait(ctx context.Context, cursor string) (id string, err error)
	// claim returns the head. It begins a new epoch, whose name begins with that
	// given, if there is no good head, or if the head's epoch is the one refused.
	claim(ctx context.Context, epoch, refused string) (Position, error)
	// add appends an entry behind a position, and returns its id; "" if the head
	// is elsewhere.
	add(ctx context.Context, behind Position, entry logEntry) (id string, err error)
}

// logRange is the entries from an id on, or before one, that one included.
type logRange struct {
	from     string
	backward bool
	behind   bool // from itself is not wanted
}

// logPage is what the log holds of a range, at one moment.
type logPage struct {
	head    Position // unknown: there is no good one
	entries []logEntry
	more    bool // the range has more entries
	damaged bool // the next entry is none
}

// logEntry is an entry as it is kept.
type logEntry struct {
	id       string // the store's own; ids ascend
	sequence uint64
	body     []byte
	mac      []byte
}

// redisLogStore keeps a log in Redis.
type redisLogStore struct {
	client             redis.UniversalClient
	head, stream, beat string
	calls              *budget.Calls
	claiming           *redis.Script
	paging             *redis.Script
	adding             *redis.Script
}

var _ logStore = (*redisLogStore)(nil)

func newRedisLogStore(client redis.UniversalClient, name string) *redisLogStore {
	return &redisLogStore{
		client: client, head: name + "head", stream: name + "stream", beat: name + "beat",
		calls: budget.NewCalls(logCalls), claiming: claimScript(), paging: pageScript(), adding: appendScript(),
	}
}

func (s *redisLogStore) page(ctx context.Context, q logRange) (logPage, error) {
	command, from, to := "XRANGE", q.from, "+"
	if q.backward {
		command, to = "XREVRANGE", "-"
	}
	if q.behind {
		from = "(" + from
	}
	reply, err := s.run(ctx, s.paging, command, from, to, logPageEntries, logEntryBytes, logPageBytes, logBeatLife.Milliseconds())
	if err != nil {
		return logPage{}, err
	}
	return readPage(reply)
}

// readPage reads what pageScript returns.
func readPage(reply []string) (logPage, error) {
	if len(reply) < 3 || len(reply)%4 != 3 {
		return logPage{}, fmt.Errorf("a page: %w", errDamaged)
	}
	if reply[0] == "" {
		return logPage{}, nil
	}
	head, err := readHead(reply)
	page := logPage{head: head, more: reply[2] == "more", damaged: reply[2] == "damaged"}
	for fields := reply[3:]; len(fields) > 0; fields = fields[4:] {
		sequence, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			page.damaged, page.more = true, false
			break
		}
		page.entries = append(page.entries, logEntry{fields[0], sequence, []byte(fields[2]), []byte(fields[3])})
	}
	return page, err
}

func (s *redisLogStore) wait(ctx context.Context, cursor string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, logWait+logCall)
	defer cancel()
	streams, err := budget.Run(ctx, s.calls, func(ctx context.Context) ([]redis.XStream, error) {
		return s.client.XRead(ctx, &redis.XReadArgs{Streams: []string{s.stream, cursor}, Count: 1, Block: logWait}).Result()
	})
	switch {
	case errors.Is(err, redis.Nil), redis.HasErrorPrefix(err, "WRONGTYPE"), errors.Is(err, redisstore.ErrAnswer):
		return "", nil // a page tells what is the matter
	case err != nil:
		return "", err
	case len(streams) == 0 || len(streams[0].Messages) == 0:
		return "", nil
	}
	return streams[0].Messages[0].ID, nil
}

func (s *redisLogStore) claim(ctx context.Context, epoch, refused string) (Position, error) {
	reply, err := s.run(ctx, s.claiming, epoch, refused)
	if err != nil {
		return Position{}, err
	}
	return readHead(reply)
}

func (s *redisLogStore) add(ctx context.Context, behind Position, entry logEntry) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, logCall)
	defer cancel()
	return budget.Run(ctx, s.calls, func(ctx context.Context) (string, error) {
		return s.adding.Run(ctx, s.client, []string{s.head, s.stream},
			behind.Epoch, strconv.FormatUint(behind.Sequence, 10), strconv.FormatUint(entry.sequence, 10),
			entry.body, entry.mac, touchMemory.Milliseconds()).Text()
	})
}

// run runs a script that returns a list.
func (s *redisLogStore) run(ctx context.Context, script *redis.Script, arguments ...any) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, logCall)
	defer cancel()
	return budget.Run(ctx, s.calls, func(ctx context.Context) ([]string, error) {
		return script.Run(ctx, s.client, []string{s.head, s.stream, s.beat}, arguments...).StringSlice()
	})
}

// readHead reads an epoch and a sequence.
func readHead(fields []string) (Position, error) {
	if len(fields) < 2 || fields[0] == "" {
		return Position{}, fmt.Errorf("its head: %w", errDamaged)
	}
	sequence, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return Position{}, fmt.Errorf("its head: %w", errDamaged)
	}
	return Position{fields[0], sequence}, nil
}
