package cache

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scopegate/scopegate/pause"
)

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
