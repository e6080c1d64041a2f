package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/invalidation/redislog"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/elastic"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// cacheNamespace names the data that answers and invalidations are of.
func cacheNamespace(cfg config.Config) string {
	return cfg.Cache.Namespace + "/" + EngineOf(cfg).Name(cfg)
}

// logInRedis is nil without Redis.
func logInRedis(cfg config.Config, shared *redisstore.Client) (invalidation.Log, error) {
	if shared == nil {
		return nil, nil //nolint:nilnil // no log is what cache.Options takes nil for
	}
	return redisLog(cfg, shared)
}

func redisLog(cfg config.Config, shared *redisstore.Client) (*redislog.Log, error) {
	keys, err := cfg.Cache.DecodedKeys()
	if err != nil {
		return nil, err
	}
	return redislog.New(shared, cacheNamespace(cfg), keys)
}

// Publisher publishes to gateways whose sessions have changed.
type Publisher interface {
	Append(ctx context.Context, companies []tenancy.CompanyID) error
	AppendAll(ctx context.Context) error
	Confirm(ctx context.Context) error
	Intend(ctx context.Context, companies []tenancy.CompanyID) error
	Intended(ctx context.Context) (invalidation.Event, error)
	Published(ctx context.Context) error
	Ping(ctx context.Context) error
}

var _ Publisher = (*redislog.Log)(nil)

// OpenPublisher opens the log in Redis; nil when no Redis is configured.
func OpenPublisher(cfg config.Config, closers *Closers) (Publisher, error) {
	shared, err := sharedTier(cfg.Redis, closers)
	if err != nil || shared == nil {
		return nil, err
	}
	return redisLog(cfg, shared)
}

// publishEvery is how often an import that goes on publishes whose sessions it has
// changed so far: until then others may be served what was before.
const publishEvery = 5 * time.Second

// NotifyingWriter publishes the companies of all that an importer has written.
type NotifyingWriter struct {
	*elastic.Importer

	log        Publisher
	invalidate string // the command line that invalidates companies, for messages

	mu        sync.Mutex
	pending   map[tenancy.CompanyID]bool
	All       bool                            // any company may be pending
	published time.Time                       // when it was last
	intended  map[tenancy.CompanyID]time.Time // when it was last put down that they are about to be written
}

var _ session.Writer = (*NotifyingWriter)(nil)

// NewNotifyingWriter makes one that publishes to the log. invalidate is the command
// line that invalidates companies with the same configuration, for messages.
func NewNotifyingWriter(store *elastic.Store, log Publisher, invalidate string) *NotifyingWriter {
	w := &NotifyingWriter{
		log: log, invalidate: invalidate, pending: map[tenancy.CompanyID]bool{}, published: time.Now(), intended: map[tenancy.CompanyID]time.Time{},
	}
	w.Importer = store.NotifyingImporter(func(companies []tenancy.CompanyID) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, company := range companies {
			w.pending[company] = true
		}
	})
	w.Announce(w.intend)
	return w
}

// intendAgain is when an intention is renewed: long before the log drops it.
const intendAgain = 10 * time.Minute

// intend puts down in the log what is about to be written, in case this process is
// killed before it can publish: the companies that sessions have left cannot be
// found out afterwards.
func (w *NotifyingWriter) intend(ctx context.Context, companies []tenancy.CompanyID) error {
	w.mu.Lock()
	fresh := slices.DeleteFunc(slices.Clone(companies), func(c tenancy.CompanyID) bool { return time.Since(w.intended[c]) < intendAgain })
	w.mu.Unlock()
	if len(fresh) == 0 {
		return nil
	}
	now := time.Now()
	if err := w.log.Intend(ctx, fresh); err != nil {
		return fmt.Errorf("%w: nothing is stored that gateways could not be told of (%w)", search.ErrUnavailable, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, company := range fresh {
		w.intended[company] = now
	}
	return nil
}

// adopt takes over what writers before this one intended, and may not have
// published.
func (w *NotifyingWriter) adopt(ctx context.Context) error {
	left, err := w.log.Intended(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.All = w.All || left.All
	for _, company := range left.Companies {
		w.pending[company] = true
	}
	return nil
}

// Write implements session.Writer.
func (w *NotifyingWriter) Write(ctx context.Context, changes []session.Change) (session.Written, error) {
	written, err := w.Importer.Write(ctx, changes)
	w.mu.Lock()
	defer w.mu.Unlock()
	var refused *session.RefusedError
	stored := err == nil || errors.As(err, &refused)
	if stored && time.Since(w.published) >= publishEvery {
		_ = w.publish(ctx) // what could not be published is published later, or fails then
	}
	return written, err
}

// publish makes what was written searchable, then publishes it: a gateway that
// reads the event must find the change.
func (w *NotifyingWriter) publish(ctx context.Context) error {
	defer func() { w.published = time.Now() }()
	if err := w.refresh(ctx); err != nil {
		return err
	}
	return w.append(ctx)
}

// isPublished reports whether nothing is pending.
func (w *NotifyingWriter) isPublished() bool { return len(w.pending) == 0 && !w.All }

// refresh makes searchable what is pending.
func (w *NotifyingWriter) refresh(ctx context.Context) error {
	if w.isPublished() {
		return nil
	}
	return makeSearchable(ctx, w.Importer)
}

// append publishes what is pending.
func (w *NotifyingWriter) append(ctx context.Context) error {
	if w.isPublished() {
		return nil
	}
	var err error
	if w.All {
		err = w.log.AppendAll(ctx)
	} else {
		err = w.log.Append(ctx, slices.Collect(maps.Keys(w.pending)))
	}
	if err != nil {
		return err
	}
	clear(w.pending)
	w.All = false
	return nil
}

// Finish publishes all that was written, and returns when the events have been read
// back. It does so too when ctx has ended: what is stored must be published.
//
// Where Elasticsearch cannot be made to show what was written, it is published all
// the same: most often it shows it by then, and gateways that load anew too early
// have lost nothing. Since that is not sure, it is an error, and the intentions stay.
func (w *NotifyingWriter) Finish(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx = context.WithoutCancel(ctx)
	again := w.invalidateCommand()
	early := w.refresh(ctx)
	unannounced := w.append(ctx)
	if unannounced == nil {
		unannounced = w.log.Confirm(ctx)
	}
	switch {
	case early != nil && unannounced != nil:
		return fmt.Errorf("%w; %s (%w; %w)", ErrUnannounced, again, early, unannounced)
	case unannounced != nil:
		return fmt.Errorf("%w; %s (%w)", ErrUnannounced, again, unannounced)
	case early != nil:
		return fmt.Errorf("%w; %s (%w)", errTooEarly, again, early)
	}
	// Intentions that stay cost the next writer a wider invalidation, and no more.
	_ = w.log.Published(ctx)
	return nil
}

// mostNamed is how many companies a command line names.
const mostNamed = 20

// invalidateCommand is the command line that publishes what is pending.
func (w *NotifyingWriter) invalidateCommand() string {
	who := "--all"
	if n := len(w.pending); n > 0 && n <= mostNamed && !w.All {
		var ids []string
		for _, company := range slices.Sorted(maps.Keys(w.pending)) {
			ids = append(ids, strconv.FormatUint(uint64(company), 10))
		}
		who = "--company " + strings.Join(ids, ",")
	}
	return "to tell them, run `" + w.invalidate + " " + who + "`"
}

// Errors of what was changed and is stored.
var (
	ErrUnannounced = errors.New("all that is counted is stored, but the gateways were not told whose sessions were changed: they may go on" +
		" serving what was before for as long as cache.stale and cache.stale_if_error say")
	errTooEarly = errors.New("all that is counted is stored, but Elasticsearch could not be made to show it, so it is not sure that" +
		" the gateways were told in time: they may go on serving what was before")
)

// makeSearchable bounds how long a refresh may take, also with an Elasticsearch
// that does not answer.
func makeSearchable(ctx context.Context, importer *elastic.Importer) error {
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	return importer.Refresh(ctx)
}
