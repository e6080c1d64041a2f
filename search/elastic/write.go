package elastic

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"golang.org/x/sync/errgroup"

	"github.com/scopegate/scopegate/pause"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Values of bulk's refresh parameter: when searches see the writes.
const (
	refreshNow   = "true"
	refreshLater = "false"
)

// Write applies the changes; changes of one document in their order. Searches that
// begin after it returns see them. See session.Writer.
//
// Elasticsearch has no transactions: when Write fails, some of the changes may have
// been applied. Writing all of them again gives the complete result. While
// Elasticsearch is too busy, Write retries for about twenty seconds.
func (s *Store) Write(ctx context.Context, changes []session.Change) (session.Written, error) {
	return s.write(ctx, changes, refreshNow)
}

// Importer is a session.Writer for many batches in a row: searches see its writes
// when Refresh returns, or somewhat earlier.
type Importer struct {
	store   *Store
	changed func([]tenancy.CompanyID) // nil: not wanted
	intend  func(context.Context, []tenancy.CompanyID) error
}

var _ session.Writer = (*Importer)(nil)

// Importer returns an Importer that writes to the same indices.
func (s *Store) Importer() *Importer { return &Importer{store: s} }

// NotifyingImporter is like Importer, and calls changed after every write, failed or
// not, with each company that it may have written or granted, or whose sessions it may
// have written, moved or deleted. To find where sessions were before, each write asks
// Elasticsearch once more. Concurrent writes call changed concurrently. A session that
// another writer moves at the same time is reported by that writer.
func (s *Store) NotifyingImporter(changed func([]tenancy.CompanyID)) *Importer {
	return &Importer{store: s, changed: changed}
}

// Announce sets a function that is called before each write, with the companies that
// changed will be called with afterwards. The write begins when the function returns;
// if it fails, nothing is written. Call Announce before the first write, and only on
// an Importer made by NotifyingImporter.
func (i *Importer) Announce(intend func(context.Context, []tenancy.CompanyID) error) {
	i.intend = intend
}

// Write is like Store.Write, but searches see the changes later.
func (i *Importer) Write(ctx context.Context, changes []session.Change) (session.Written, error) {
	if i.changed != nil {
		var companies []tenancy.CompanyID
		err := i.store.retryBusy(ctx, func() (err error) { companies, err = i.store.affectedCompanies(ctx, changes); return err })
		if err != nil {
			return session.Written{}, err
		}
		if i.intend != nil {
			if err := i.intend(ctx, companies); err != nil {
				return session.Written{}, err
			}
		}
		defer i.changed(companies)
	}
	return i.store.write(ctx, changes, refreshLater)
}

// Refresh makes all writes visible to searches. While it cannot, it retries for
// about twenty seconds.
//
// If the refresh request is refused, or a copy of a shard does not execute it,
// Refresh makes every shard refresh with a write: Elasticsearch removes a copy that
// fails a write from those that are searched.
func (i *Importer) Refresh(ctx context.Context) error {
	for p := i.store.newRetries(); ; {
		err := i.store.refreshWritten(ctx)
		if err != nil && ctx.Err() == nil {
			if i.store.refreshByWrite(ctx) == nil {
				return nil
			}
		}
		passes := errors.Is(err, search.ErrUnavailable) || errors.Is(err, search.ErrTimeout)
		if !passes || errors.Is(err, ErrNoIndex) || ctx.Err() != nil || !p.left() {
			return err
		}
		if err := p.wait(ctx); err != nil {
			return err
		}
	}
}

// writeAliases are the aliases that an importer writes to.
func (s *Store) writeAliases() []string {
	var all []string
	for _, k := range kinds() {
		all = append(all, s.names(k.of).write)
	}
	if s.second() != "" {
		all = append(all, s.ownNames().write)
	}
	return all
}

// refreshWritten stops retrying when Elasticsearch does not answer at all.
func (s *Store) refreshWritten(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.limits.retryFor)
	defer cancel()
	for _, alias := range s.writeAliases() {
		err := s.refresh(ctx, alias)
		if errors.Is(err, ErrNoIndex) && alias == s.ownNames().write {
			continue // the migration was undone
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// deletesPerShard is the number of random ids per shard. The probability that a
// shard gets none is about the number of shards times e^-40.
const deletesPerShard = 40

// refreshByWrite deletes documents that do not exist, on every shard, with a
// request that makes the shards refresh.
func (s *Store) refreshByWrite(ctx context.Context) error {
	var ops []operation
	for _, alias := range s.writeAliases() {
		shards, err := s.shardCount(ctx, alias)
		if err != nil {
			return err
		}
		for range shards * deletesPerShard {
			ops = append(ops, operation{place: place{index: alias, id: "absent-" + rand.Text()}})
		}
	}
	_, turnedAway, err := s.tryBulk(ctx, ops, refreshNow)
	if err == nil && len(turnedAway) > 0 {
		err = fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, errBusy)
	}
	return err
}

// shardCount returns the number of shards of the index that an alias writes to.
func (s *Store) shardCount(ctx context.Context, alias string) (int, error) {
	var answer map[string]struct {
		Settings struct {
			Index struct {
				Shards string `json:"number_of_shards"`
			} `json:"index"`
		} `json:"settings"`
	}
	err := s.client.call(ctx, esapi.IndicesGetSettingsRequest{
		Index: []string{alias}, Name: []string{"index.number_of_shards"}, Instrument: s.client.instrument,
	}, &answer)
	if err != nil {
		return 0, err
	}
	shards := 0
	for _, index := range answer {
		shards = max(shards, int(number(index.Settings.Index.Shards)))
	}
	if shards == 0 {
		return 0, errAnswer
	}
	return shards, nil
}

// refresh makes the writes to an index visible to searches, on all of its copies.
func (s *Store) refresh(ctx context.Context, index string) error {
	var a answer
	err := s.client.call(ctx, esapi.IndicesRefreshRequest{Index: []string{index}, Instrument: s.client.instrument}, &a)
	if err != nil {
		return err
	}
	return a.check(false)
}

func (s *Store) write(ctx context.Context, changes []session.Change, refresh string) (session.Written, error) {
	if err := contextError(ctx); err != nil || len(changes) == 0 {
		return session.Written{}, err
	}
	if err := s.Ready(ctx); err != nil {
		return session.Written{}, err
	}
	ops := make([]operation, len(changes))
	for i, c := range changes {
		var err error
		if ops[i], err = s.operation(c); err != nil {
			return session.Written{}, err
		}
		ops[i].nth = i
		if c.Kind == session.KindSession {
			ops[i].first = &firstWrite{}
		}
	}
	var done bulked
	for _, round := range rounds(ops) {
		some, err := s.writeRound(ctx, round, refresh)
		if err != nil {
			return session.Written{}, err
		}
		done.add(some)
		// A migration may have begun since Ready: a write may take long.
		if err := s.Ready(ctx); err != nil {
			return session.Written{}, err
		}
		some, err = s.writeRound(ctx, s.secondWrites(round), refresh)
		if err != nil {
			return session.Written{}, err
		}
		done.refused = append(done.refused, some.refused...)
	}
	return done.written, done.err()
}

// secondWrites returns the operations of a round for the second index, without those
// that were refused, or already executed there because the aliases were moved.
func (s *Store) secondWrites(round []operation) []operation {
	second := s.second()
	if second == "" {
		return nil
	}
	var again []operation
	for _, op := range round {
		if op.first == nil || op.first.index == "" || op.first.index == second {
			continue
		}
		op.index, op.external, op.first = s.ownNames().write, externalVersion(op.first.seqNo), nil
		again = append(again, op)
	}
	return again
}

// writeRound writes operations on different documents, several portions at a time.
func (s *Store) writeRound(ctx context.Context, round []operation, refresh string) (bulked, error) {
	if len(round) == 0 {
		return bulked{}, nil
	}
	portions := s.portions(round)
	parts := make([]bulked, len(portions))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.options.Workers)
	for i, portion := range portions {
		group.Go(func() (err error) {
			parts[i], err = s.bulk(ctx, portion, refresh)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return bulked{}, err
	}
	var done bulked
	for _, part := range parts {
		done.add(part)
	}
	return done, nil
}

func sum(a, b session.Written) session.Written {
	return session.Written{Upserted: a.Upserted + b.Upserted, Deleted: a.Deleted + b.Deleted, Missing: a.Missing + b.Missing}
}

// The first and the longest pause between two attempts.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// retries limits how long writers retry while Elasticsearch is too busy. The pauses
// between attempts double.
type retries struct {
	pause time.Duration
	until time.Time
}

func (s *Store) newRetries() *retries {
	return &retries{pause: firstPause, until: time.Now().Add(s.limits.retryFor)}
}

// left reports whether another attempt may be made.
func (p *retries) left() bool { return time.Now().Before(p.until) }

// wait pauses before the next attempt. Its error is the context's.
func (p *retries) wait(ctx context.Context) error {
	err := sleep(ctx, p.pause)
	p.pause = min(2*p.pause, longestPause)
	return err
}

// retryBusy runs f, and repeats it while Elasticsearch is too busy.
func (s *Store) retryBusy(ctx context.Context, f func() error) error {
	p := s.newRetries()
	for {
		err := f()
		if !errors.Is(err, errBusy) || !p.left() {
			return err
		}
		if err := p.wait(ctx); err != nil {
			return err
		}
	}
}

// sleep randomizes pauses, so that those who were rejected together do not come
// back together.
func sleep(ctx context.Context, d time.Duration) error {
	if !pause.Jittered(ctx, d) {
		return contextError(ctx)
	}
	return nil
}
