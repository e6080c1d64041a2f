package cache

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scopegate/scopegate/pause"
	"github.com/scopegate/scopegate/tenancy"
)

// schemaVersion changes whenever the meaning of an entry or of a canonical query
// changes: entries of another version are never found.
const schemaVersion = "scopegate/cache/1"

// key is the SHA-256 of an entry's full key, so that no keyword, name or phone
// lives on as key text. Whatever is bound to it is bound to the full key: two
// full keys with one SHA-256 cannot be found.
type key [sha256.Size]byte

// keyspace is what all keys of one data set have in common.
type keyspace [sha256.Size]byte

// newKeyspace is that of the data of this identity in the namespace.
func newKeyspace(namespace, identity string) keyspace {
	text := []byte(schemaVersion + "\x00")
	text = binary.BigEndian.AppendUint64(text, uint64(len(namespace))) // where one ends and the other begins
	return sha256.Sum256(append(append(text, namespace...), identity...))
}

// of is the key of a part of a request.
func (s keyspace) of(p part, scope tenancy.Scope) key {
	return s.bind(p.kind(), scope, p.canonical())
}

// bind binds an entry to all that its value depends on.
//
// SECURITY: the scope's fingerprint is what keeps one tenant's rows from
// another. What stands before the canonical query has a fixed length, so that
// no query can be written that reads as another scope's.
func (s keyspace) bind(of kind, scope tenancy.Scope, canonical []byte) key {
	fingerprint := scope.Fingerprint()
	hash := sha256.New()
	hash.Write(s[:])
	hash.Write([]byte{of.letter()})
	hash.Write(fingerprint[:])
	hash.Write(canonical)
	var k key
	hash.Sum(k[:0])
	return k
}

// How often the identity of the data is read: seldom enough to cost nothing, and
// often enough that an answer of other data is served no longer than a fresh one.
const (
	identityEvery   = 5 * time.Second
	identityRetry   = time.Second // while it is not known
	identityTimeout = 2 * time.Second
	// identityStart is how long a cache waits for the first answer.
	identityStart = 250 * time.Millisecond
)

// dataset identifies the data that is searched, which keys depend on.
type dataset struct {
	id    string
	known bool
	keys  keyspace
	// since is when it replaced another: what was loaded before may be of that one.
	// Zero: it replaced none.
	since time.Time
}

// identity follows which data is searched. An alias may be moved to another index
// at any time, and two clusters that share a Redis may use one name. While the data
// is not known, keys are this process's own.
type identity struct {
	ask       func(ctx context.Context) (string, error)
	namespace string
	now       func() time.Time
	logger    *slog.Logger

	current atomic.Pointer[dataset]
	mu      sync.Mutex // held while current is compared and replaced
	failing bool

	stop    context.CancelFunc // nil: nothing is asked
	stopped chan struct{}
}

// newIdentity returns when the data is known, when reading its identity failed, or
// after identityStart. It goes on reading until close.
func newIdentity(o Options) *identity {
	i := &identity{ask: o.Identity, namespace: o.Namespace, now: o.now, logger: o.Logger}
	if i.ask == nil {
		i.current.Store(&dataset{known: true, keys: newKeyspace(o.Namespace, "")})
		return i
	}
	i.current.Store(&dataset{keys: newKeyspace(o.Namespace, "unknown "+rand.Text())})
	ctx, cancel := context.WithCancel(context.Background())
	i.stop, i.stopped = cancel, make(chan struct{})
	asked := make(chan struct{})
	go func() {
		defer close(i.stopped)
		i.look(ctx)
		close(asked)
		i.run(ctx)
	}()
	slow := time.NewTimer(identityStart)
	defer slow.Stop()
	select {
	case <-asked:
	case <-slow.C:
	}
	return i
}

func (i *identity) close() {
	if i.stop != nil {
		i.stop()
		<-i.stopped
	}
}

func (i *identity) run(ctx context.Context) {
	for {
		next := identityEvery
		if !i.current.Load().known {
			next = identityRetry
		}
		if !pause.Jittered(ctx, next) {
			return
		}
		i.look(ctx)
	}
}

// look reads which data is searched now. If that fails, the engine most likely does
// not answer searches either: what was known stays.
func (i *identity) look(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	id, err := i.ask(within)
	if ctx.Err() != nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if err != nil {
		if !i.failing {
			i.logger.WarnContext(ctx, "the searched index cannot be identified: until it is known, this gateway stores no answers in Redis",
				slog.Bool("known", i.current.Load().known))
		}
		i.failing = true
		return
	}
	i.failing = false
	was := i.current.Load()
	if was.known && was.id == id {
		return
	}
	is := &dataset{id: id, known: true, keys: newKeyspace(i.namespace, id)}
	if was.known {
		is.since = i.now()
		i.logger.InfoContext(ctx, "another index is searched than before: all answers are loaded anew")
	}
	i.current.Store(is)
}

// Identify reads at once which data is searched, in addition to the times at which
// the cache does so itself.
func (c *Cache) Identify(ctx context.Context) {
	if c.identity.ask != nil {
		c.identity.look(ctx)
	}
}

// data is the data that is searched now.
func (c *Cache) data() *dataset { return c.identity.current.Load() }
