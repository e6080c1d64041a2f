package tenancy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scopegate/scopegate/reason"
)

// Errors of a Directory.
var (
	// ErrForbidden: the caller may not see what was asked for. The two below
	// are finer and match it under errors.Is; RefusalOf is finer still.
	ErrForbidden = newRefusal(ReasonCompanyForeign, nil, "forbidden")
	// ErrForeignCompany: a company that is outside the caller's scope or not in
	// the directory at all; callers cannot distinguish the two.
	ErrForeignCompany = newRefusal(ReasonCompanyForeign, ErrForbidden, "company outside the caller's scope")
	// ErrNotSupervisor: all supervised companies were asked for by an account
	// that may not supervise.
	ErrNotSupervisor = newRefusal(ReasonNotSupervisor, ErrForbidden, "the account may not supervise")
	// ErrDirectoryStale: the directory could not be read for MaxStale, or not
	// yet, so that no scope is known.
	ErrDirectoryStale = newRefusal(ReasonDirectoryStale, nil, "directory is stale")
)

// Finer still, for the log: to callers these look like a foreign company.
var (
	errCompanyUnknown   = newRefusal(ReasonCompanyUnknown, ErrForeignCompany, "the caller's own company is not in the directory")
	errCompanyOfAnother = newRefusal(ReasonCompanyOfAnother, ErrForeignCompany, "the caller's own company is not one of the issuer's")
)

// Source is where a Directory reads companies and grants.
type Source interface {
	// Load reads all records. It returns all of them or an error.
	Load(ctx context.Context) (Records, error)
	// Version is equal for two moments only if Load would answer the same at
	// both. It is called every RefreshEvery and should be cheap.
	Version(ctx context.Context) (string, error)
}

// DirectoryOptions are the parts of a Directory. Source, RefreshEvery and MaxStale
// are required.
type DirectoryOptions struct {
	Source       Source
	RefreshEvery time.Duration // how often Source is read
	MaxStale     time.Duration // how old the directory may become
	// CheckEmpty is for a source that may be emptied by accident, such as a file
	// that somebody is writing. If it has no company any more, the directory before
	// stays in force until the source has been empty for MaxStale.
	CheckEmpty bool
	Logger     *slog.Logger     // nil: none
	Now        func() time.Time // nil: time.Now
}

// Directory knows all companies and grants, and turns principals into scopes.
// It holds a snapshot in memory that is refreshed in the background. It is safe
// for use by several goroutines.
type Directory struct {
	source       Source
	every        time.Duration
	maxStale     time.Duration
	mayBeEmptied bool
	logger       *slog.Logger
	now          func() time.Time

	trigger    chan struct{}  // of 1: a refresh is requested
	refreshing sync.Mutex     // one refresh at a time
	emptySince time.Time      // zero unless the source is empty and must be confirmed; guarded by refreshing
	logged     loggedProblems // guarded by refreshing
	current    atomic.Pointer[view]
	stop       context.CancelFunc
	stopped    chan struct{}
}

// view is a snapshot and the moment at which it was last known to be true.
type view struct {
	*snapshot
	asOf time.Time
}

// NewDirectory reads the source once and goes on refreshing until ctx ends or
// Close is called. A source that cannot be read is no error: the directory
// starts stale and recovers when the source does. Errors: options that make no
// sense.
func NewDirectory(ctx context.Context, o DirectoryOptions) (*Directory, error) {
	if o.Source == nil {
		return nil, errors.New("directory: no source given")
	}
	if o.RefreshEvery <= 0 || o.MaxStale <= 0 {
		return nil, errors.New("directory: intervals must be positive")
	}
	d := &Directory{
		source:       o.Source,
		every:        o.RefreshEvery,
		maxStale:     o.MaxStale,
		mayBeEmptied: o.CheckEmpty,
		logger:       o.Logger,
		now:          o.Now,
		trigger:      make(chan struct{}, 1),
		stopped:      make(chan struct{}),
	}
	if d.maxStale < d.every {
		return nil, fmt.Errorf("directory: max stale (%s) is shorter than the refresh interval (%s): it would always be stale", d.maxStale, d.every)
	}
	if d.logger == nil {
		d.logger = slog.New(slog.DiscardHandler)
	}
	if d.now == nil {
		d.now = time.Now
	}
	ctx, d.stop = context.WithCancel(ctx)
	if err := d.Refresh(ctx); err != nil {
		d.logger.ErrorContext(ctx, "directory cannot be read: no request is answered until it can", slog.Any("error", err))
	}
	go func() {
		defer close(d.stopped)
		refresher{what: "directory", every: d.every, refresh: d.Refresh, trigger: d.trigger, logger: d.logger}.run(ctx)
	}()
	return d, nil
}

// Close ends the background refresh and waits for it.
func (d *Directory) Close() {
	d.stop()
	<-d.stopped
}

// TriggerRefresh requests a background refresh now, since the source may have
// changed. It returns at once, may be called at any rate, and refreshes at most
// every minRefreshInterval.
func (d *Directory) TriggerRefresh() {
	select {
	case d.trigger <- struct{}{}:
	default:
	}
}

// Refresh reads the source now. It returns when the new directory is in use, or
// with the source's or the context's error.
func (d *Directory) Refresh(ctx context.Context) error {
	d.refreshing.Lock()
	defer d.refreshing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, min(maxLoad, d.maxStale))
	defer cancel()

	// Time and version come before the load: a change during it is then seen
	// as one that comes after.
	asOf := d.now()
	version, err := d.source.Version(ctx)
	if err != nil {
		return fmt.Errorf("directory version: %w", err)
	}
	var previous *snapshot
	if v := d.current.Load(); v != nil {
		previous = v.snapshot
	}
	if previous != nil && previous.version == version {
		d.emptySince = time.Time{}
		d.current.Store(&view{snapshot: previous, asOf: asOf})
		d.logProblems(ctx, previous.problems)
		return nil
	}
	records, err := d.source.Load(ctx)
	if err != nil {
		return fmt.Errorf("directory load: %w", err)
	}
	if d.checkEmpty(ctx, records, previous) {
		d.current.Store(&view{snapshot: previous, asOf: asOf})
		return nil
	}
	fresh := newSnapshot(version, records, previous)
	d.current.Store(&view{snapshot: fresh, asOf: asOf})
	d.logger.InfoContext(ctx, "directory loaded",
		slog.Int("companies", len(fresh.companies)), slog.Int("accounts_with_grants", len(fresh.grants)),
		slog.Int("problems", fresh.faulty))
	d.logProblems(ctx, fresh.problems)
	return nil
}

// problemLogInterval is how long no problem is logged after some were: a directory
// that is written to all the time is loaded every RefreshEvery.
const problemLogInterval = time.Minute

// loggedProblems are those that were logged last.
type loggedProblems struct {
	list []string
	at   time.Time
}

// logProblems logs the problems that were not there when it last did so.
func (d *Directory) logProblems(ctx context.Context, problems []string) {
	if slices.Equal(problems, d.logged.list) || !d.logged.at.IsZero() && d.now().Sub(d.logged.at) < problemLogInterval {
		return
	}
	known := make(map[string]bool, len(d.logged.list))
	for _, p := range d.logged.list {
		known[p] = true
	}
	d.logged.list = problems
	for _, p := range problems {
		if !known[p] {
			d.logger.WarnContext(ctx, "directory problem", slog.String("problem", p))
			d.logged.at = d.now()
		}
	}
}

// checkEmpty reports whether the records are empty all at once, so that the
// directory before stays in force for now.
func (d *Directory) checkEmpty(ctx context.Context, records Records, previous *snapshot) bool {
	if !d.mayBeEmptied || len(records.Companies) > 0 || previous == nil || len(previous.companies) == 0 {
		d.emptySince = time.Time{}
		return false
	}
	now := d.now()
	if d.emptySince.IsZero() {
		d.emptySince = now
		d.logger.WarnContext(ctx, "directory is empty all at once: the one before stays in force for now",
			slog.Int("companies", len(previous.companies)), slog.Time("until", now.Add(d.maxStale)))
	}
	return now.Sub(d.emptySince) < d.maxStale
}

// fresh is the snapshot, or ErrDirectoryStale.
func (d *Directory) fresh() (*snapshot, error) {
	v := d.current.Load()
	if v == nil {
		return nil, fmt.Errorf("%w: %w", ErrDirectoryStale, reason.Text("it could not be read yet"))
	}
	if age := d.now().Sub(v.asOf); age > d.maxStale {
		return nil, fmt.Errorf("%w: %w", ErrDirectoryStale,
			reason.Text(fmt.Sprintf("last read %s ago, allowed are %s", age.Round(time.Second), d.maxStale)))
	}
	return v.snapshot, nil
}

// Ready reports why the directory cannot answer: ErrDirectoryStale.
func (d *Directory) Ready() error {
	_, err := d.fresh()
	return err
}

// Problems lists what is wrong with the records: faults of the source, cycles,
// missing parents, doubles, grants of unknown companies. Each is repaired so that
// nobody sees more because of it. The texts hold ids only.
func (d *Directory) Problems() []string {
	v := d.current.Load()
	if v == nil {
		return nil
	}
	return append([]string(nil), v.problems...)
}

// ProblemCount is how many there are, also of those that are too many to list.
func (d *Directory) ProblemCount() int {
	v := d.current.Load()
	if v == nil {
		return 0
	}
	return v.faulty
}
