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
	"github.com/scopegate/scopegate/search/sqlite"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// cacheNamespace names the data that answers and touches are of.
func cacheNamespace(cfg config.Config) string { return cfg.Cache.Namespace + "/" + dataName(cfg) }

// invalidationLog is where writers tell what they have changed: SQLite's own,
// else one in Redis; nil when there is neither.
func invalidationLog(cfg config.Config, store Engine, shared *redisstore.Client) (invalidation.Log, error) {
	if embedded, ok := store.(*sqlite.Store); ok {
		return sqliteLog{embedded}, nil
	}
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

// How often SQLite is asked for news, and for how long until it is said that
// there are none.
const (
	sqlitePoll  = 100 * time.Millisecond
	sqlitePolls = 5
)

// sqliteLog is the log that the embedded engine keeps in its transactions.
type sqliteLog struct{ store *sqlite.Store }

var _ invalidation.Log = sqliteLog{}

// Next implements invalidation.Log.
func (l sqliteLog) Next(ctx context.Context, at invalidation.Offset) (invalidation.Batch, error) {
	if at.Epoch == "" {
		found, err := l.store.TouchesSince(ctx, -1)
		return newsOf(found, found.Sequence), err
	}
	poll := time.NewTicker(sqlitePoll)
	defer poll.Stop()
	for asked := 1; ; asked++ {
		found, err := l.store.TouchesSince(ctx, int64(at.Sequence))
		if err != nil || found.Sequence != int64(at.Sequence) || asked == sqlitePolls {
			return newsOf(found, int64(at.Sequence)), err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return invalidation.Batch{}, ctx.Err()
		}
	}
}

// newsOf sorts the companies by their touches.
func newsOf(found sqlite.Touches, complete int64) invalidation.Batch {
	bySequence := map[int64][]tenancy.CompanyID{}
	for company, sequence := range found.Companies {
		bySequence[sequence] = append(bySequence[sequence], company)
	}
	if _, others := bySequence[found.All]; found.All > 0 && !others {
		bySequence[found.All] = nil
	}
	news := invalidation.Batch{
		Offset:   invalidation.Offset{Position: invalidation.Position{Epoch: found.Epoch, Sequence: uint64(found.Sequence)}},
		Complete: uint64(complete),
	}
	for _, sequence := range slices.Sorted(maps.Keys(bySequence)) {
		news.Events = append(news.Events, invalidation.Event{
			Sequence:  uint64(sequence),
			Companies: bySequence[sequence], All: sequence == found.All,
		})
	}
	return news
}

// Publisher tells gateways whose sessions have changed.
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

// tellEvery is how often an import that goes on tells whose sessions it has
// changed so far: until then others may be served what was before.
const tellEvery = 5 * time.Second

// NotifyingWriter tells of all that an importer has written.
type NotifyingWriter struct {
	*elastic.Importer

	log        Publisher
	invalidate string // the command line that invalidates companies, for messages

	mu      sync.Mutex
	pending map[tenancy.CompanyID]bool
	All     bool // any company may be pending
	told    time.Time
	noted   map[tenancy.CompanyID]time.Time // when it was noted last that they are about to be written
}

var _ session.Writer = (*NotifyingWriter)(nil)

// NewNotifyingWriter makes one that publishes to the log. invalidate is the command
// line that invalidates companies with the same configuration, for messages.
func NewNotifyingWriter(store *elastic.Store, log Publisher, invalidate string) *NotifyingWriter {
	w := &NotifyingWriter{
		log: log, invalidate: invalidate, pending: map[tenancy.CompanyID]bool{}, told: time.Now(), noted: map[tenancy.CompanyID]time.Time{},
	}
	w.Importer = store.NotifyingImporter(func(companies []tenancy.CompanyID) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, company := range companies {
			w.pending[company] = true
		}
	})
	w.Announce(w.note)
	return w
}

// noteAgain is when a note is renewed: long before it is forgotten.
const noteAgain = 10 * time.Minute

// note leaves word of what is about to be written, for the case that this process
// is killed before it can tell: the companies that sessions have left cannot be
// found out afterwards.
func (w *NotifyingWriter) note(ctx context.Context, companies []tenancy.CompanyID) error {
	w.mu.Lock()
	fresh := slices.DeleteFunc(slices.Clone(companies), func(c tenancy.CompanyID) bool { return time.Since(w.noted[c]) < noteAgain })
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
		w.noted[company] = now
	}
	return nil
}

// adopt takes over what writers before this one have noted, and may not have
// told of.
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
	if stored && time.Since(w.told) >= tellEvery {
		_ = w.tell(ctx) // what could not be told yet is told later, or fails then
	}
	return written, err
}

// tell makes what was written searchable, then tells of it: who hears of it must
// find it.
func (w *NotifyingWriter) tell(ctx context.Context) error {
	defer func() { w.told = time.Now() }()
	if err := w.show(ctx); err != nil {
		return err
	}
	return w.publish(ctx)
}

// isTold reports whether there is nothing to tell of.
func (w *NotifyingWriter) isTold() bool { return len(w.pending) == 0 && !w.All }

// show makes searchable what is to be told of.
func (w *NotifyingWriter) show(ctx context.Context) error {
	if w.isTold() {
		return nil
	}
	return makeSearchable(ctx, w.Importer)
}

// publish tells of what is pending.
func (w *NotifyingWriter) publish(ctx context.Context) error {
	if w.isTold() {
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

// Finish tells of all that was written, and returns when what was told has been
// read back. It does so too when ctx has ended: what is stored must be told of.
//
// Where Elasticsearch cannot be made to show what was written, gateways are told
// all the same: most often it shows it by then, and those that load anew too early
// have lost nothing. Since that is not sure, it is an error, and the notes stay.
func (w *NotifyingWriter) Finish(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx = context.WithoutCancel(ctx)
	again := w.invalidateCommand()
	unsure := w.show(ctx)
	told := w.publish(ctx)
	if told == nil {
		told = w.log.Confirm(ctx)
	}
	switch {
	case unsure != nil && told != nil:
		return fmt.Errorf("%w; %s (%w; %w)", ErrUnannounced, again, unsure, told)
	case told != nil:
		return fmt.Errorf("%w; %s (%w)", ErrUnannounced, again, told)
	case unsure != nil:
		return fmt.Errorf("%w; %s (%w)", errTooEarly, again, unsure)
	}
	// Notes that stay cost the next writer a wider invalidation, and no more.
	_ = w.log.Published(ctx)
	return nil
}

// mostNamed is how many companies a command line names.
const mostNamed = 20

// invalidateCommand is what tells gateways of what is pending.
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
