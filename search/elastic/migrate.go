package elastic

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/session"
)

// Errors of Migrate, AbortMigration and DropOld. Nothing was changed.
var (
	// ErrNoMigration: there is nothing to undo or to drop.
	ErrNoMigration error = reason.Text("no migration is under way")
	// ErrSwitched: the new index is searched already.
	ErrSwitched error = reason.Text("the new index is searched already: a migration can be undone only before that")
	// ErrNotSwitched: the new index is not complete.
	ErrNotSwitched error = reason.Text("the new index is not searched yet: run `scopegate index migrate` to its end first")
	// ErrMigrationState: what a migration has left does not fit the indices.
	ErrMigrationState error = reason.Text("the migration cannot go on: run `scopegate index migrate --abort`, then begin again")
)

// UncopiedError lists documents of the old index that the new one refuses. They were
// not changed, and the new index is not searched yet.
type UncopiedError struct {
	Count int64
	IDs   []string // some of their _ids
}

// Error names the documents by _id.
func (e *UncopiedError) Error() string {
	return fmt.Sprintf("the new index refuses %d documents of the old one, such as those with the _id %s: correct or delete them, or run the command"+
		" with --leave-refused to leave them out", e.Count, strings.Join(e.IDs, ", "))
}

// MigrateOptions configure a migration.
type MigrateOptions struct {
	// Rate is the largest number of sessions copied per second; 0: no limit.
	Rate int
	// Follow makes Migrate copy what others write to the old index, until its context
	// ends or the old index is dropped.
	Follow bool
	// LeaveRefused leaves out documents that the new index refuses. They stay in the
	// old index, which DropOld deletes.
	LeaveRefused bool
	// Progress, if set, is called often. It is not called concurrently.
	Progress func(MigrationProgress)
}

// MigrationProgress is how far a migration is.
type MigrationProgress struct {
	Phase    string // one of the Phase constants
	Done, Of int64  // operations on the old index
}

// Phases of a migration.
const (
	PhaseCopy    = "copying"      // most of the time
	PhaseCompare = "comparing"    // both indices, document by document
	PhaseSwitch  = "switching"    // the old index takes no writes for some seconds
	PhaseFollow  = "following on" // the new index is searched
)

// Migrated is the result of Migrate.
type Migrated struct {
	Index    string // the index that is searched now
	Old      string // the old index; "": there was nothing to migrate
	Sessions int64  // documents in the new index
	Refused  int64  // documents that it refuses, with LeaveRefused
}

// Migrate copies the sessions into an index of this program's schema, and then makes
// gateways of this version search it. Meanwhile everybody may read and write:
//
//   - The old index and its aliases stay as they are; only for the switch it takes no
//     writes for at most ten seconds. Our writers wait that long.
//   - Our writers write to both indices: first to the old one, then to the new one
//     with the sequence number of the first write as external version. So the later
//     write wins in both, whatever the order of arrival.
//   - What others write is copied in passes over the sequence numbers of the old
//     index, with the same versions. A document that others delete shows as a company
//     with more sessions in the new index than in the old one.
//
// The first copy is a pass over all sequence numbers. It does not use Elasticsearch's
// _reindex, which does not offer the sequence number as version, and which goes on
// when this process is killed.
//
// Migrate may be killed at any time and be called again: it goes on from what the
// metadata of the new index says. A second call at the same time copies the same, and
// does no harm.
//
// Errors: ErrSchema, ErrMigrationState, *UncopiedError, those of package search.
func (s *Store) Migrate(ctx context.Context, o MigrateOptions) (Migrated, error) {
	l, err := s.locate(ctx)
	if err != nil {
		return Migrated{}, err
	}
	switch has := l.plain.Mappings.Meta.Scopegate; {
	case l.plain.name == "":
		return Migrated{}, fmt.Errorf("elasticsearch: %w: run `scopegate index drop-old` again: it was interrupted", ErrMigrationState)
	case l.plain.name == l.own.name || s.steps.After(has.Version).Elasticsearch() < schema.Rewritten:
		_, _, err := s.fit(l)
		if err == nil {
			err = s.addFields(ctx, session.KindSession, l.plain.name, l.plain.described)
		}
		return Migrated{Index: l.plain.name}, err
	case !s.isMigratable(has):
		return Migrated{}, s.explain(ErrSchema, has, false)
	case !l.plain.isAlias(s.names(session.KindSession).write):
		return Migrated{}, fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable,
			reason.Text("the aliases to read and to write sessions lead to different indices"))
	}
	if l.own.name == "" {
		if l, err = s.beginMigration(ctx, l); err != nil {
			return Migrated{}, err
		}
	}
	m, err := s.openMigration(l, o)
	if err != nil {
		return Migrated{}, err
	}
	if err := m.run(ctx, l.switched); err != nil {
		return Migrated{}, err
	}
	if err := m.saveChanged(context.WithoutCancel(ctx)); err != nil && !errors.Is(err, ErrNoIndex) {
		return Migrated{}, err
	}
	done := Migrated{Index: m.new, Old: m.old, Refused: m.refused.Count}
	done.Sessions, err = s.countAll(context.WithoutCancel(ctx), m.new)
	return done, err
}

// beginMigration creates the new index. Writers find it within fitsFor.
func (s *Store) beginMigration(ctx context.Context, l layout) (layout, error) {
	settings := l.plain.Settings.Index
	definition := s.definition(session.KindSession)
	index := clause{
		// Deletes that arrive before the copy of what they delete must be remembered.
		"gc_deletes": "30d", "number_of_shards": settings.Shards, "number_of_replicas": settings.Replicas,
	}
	if settings.Refresh != "" {
		index["refresh_interval"] = settings.Refresh
	}
	own, ok := definition["settings"].(clause)["index"].(clause)
	if !ok {
		return layout{}, errAnswer
	}
	for name, value := range index {
		own[name] = value
	}
	definition["aliases"] = clause{s.ownNames().write: clause{"is_write_index": true}}
	definition["mappings"].(clause)["_meta"] = metadata(newestMark(s.steps), marks{Old: l.plain.name, OldUUID: settings.UUID})
	body, err := stdjson.Marshal(definition)
	if err != nil {
		return layout{}, fmt.Errorf("elasticsearch: definition: %w", err)
	}
	name := s.ownNames().first()
	err = s.client.call(ctx, esapi.IndicesCreateRequest{Index: name, Body: bytes.NewReader(body), Instrument: s.client.instrument}, nil)
	if err != nil && !errors.Is(err, errExists) {
		return layout{}, fmt.Errorf("create %s: %w", name, err)
	}
	if l, err = s.locate(ctx); err == nil && l.own.name == "" {
		err = fmt.Errorf("elasticsearch: %w: the index %s is there, without the alias %s", ErrMigrationState, name, s.ownNames().write)
	}
	return l, err
}

func metadata(has mark, m marks) clause { return clause{"scopegate": has, "migration": m} }

// migrating is a migration that is under way.
type migrating struct {
	*Store

	has      mark   // of the new index
	old, new string // names of the indices
	options  MigrateOptions
	pace     *pace

	marks    marks
	changed  bool          // the marks, since they were saved
	saved    time.Time     // when they were
	refused  UncopiedError // of the last comparison
	leftOut  []string      // the _ids of refused
	equal    bool          // nothing was deleted, as of the last pass
	progress MigrationProgress
}

func (s *Store) openMigration(l layout, o MigrateOptions) (*migrating, error) {
	m := &migrating{
		Store: s, has: l.own.Mappings.Meta.Scopegate, old: l.plain.name, new: l.own.name, options: o, pace: newPace(o.Rate), marks: l.own.Mappings.Meta.Migration,
	}
	if m.marks.Shards == nil {
		m.marks.Shards = map[string]shardMark{}
	}
	switch {
	case l.own.Mappings.Meta.Scopegate.Folding != newestMark(s.steps).Folding:
		return nil, fmt.Errorf("elasticsearch: %w: the new index was begun by another version", ErrMigrationState)
	case m.marks.OldUUID != l.plain.Settings.Index.UUID:
		return nil, fmt.Errorf("elasticsearch: %w: the new index was begun from another index", ErrMigrationState)
	}
	return m, nil
}

const (
	// mostPasses limits the passes before the switch: each copies what was written
	// during the one before.
	mostPasses = 50
	// fewLeft is the number of operations of a pass that needs no other pass before
	// the switch.
	fewLeft = 1000
)

func (m *migrating) run(ctx context.Context, switched bool) error {
	if m.marks.Blocked { // an earlier run was killed
		if err := m.unblock(ctx); err != nil {
			return err
		}
	}
	if !switched {
		for range mostPasses {
			copied, err := m.pass(ctx, PhaseCopy)
			if err != nil {
				return err
			}
			if copied <= fewLeft {
				break
			}
		}
		if err := m.compare(ctx); err != nil {
			return err
		}
		if err := m.reachSwitch(ctx); err != nil {
			return err
		}
	}
	for {
		copied, err := m.catchUp(ctx, PhaseFollow)
		switch {
		case m.options.Follow && errors.Is(err, context.Canceled):
			return nil
		case m.options.Follow && errors.Is(err, ErrNoIndex):
			return m.dropped(ctx, err)
		case err != nil || !m.options.Follow && copied <= fewLeft:
			return err
		}
		if m.options.Follow && sleep(ctx, m.limits.followEvery) != nil {
			return nil //nolint:nilerr // the caller ends it
		}
	}
}

// dropped returns nil when the old index was dropped on purpose.
func (m *migrating) dropped(ctx context.Context, err error) error {
	l, failed := m.locate(ctx)
	if failed == nil && l.switched && l.plain.name != m.old {
		m.changed = false // what is left is not this run's
		return nil
	}
	return err
}

// catchUp copies what was written since the last pass, and deletes what was deleted.
func (m *migrating) catchUp(ctx context.Context, phase string) (copied int64, err error) {
	if copied, err = m.pass(ctx, phase); err != nil {
		return copied, err
	}
	if copied == 0 && m.equal && phase == PhaseFollow {
		return 0, nil
	}
	m.equal, err = m.removeDeleted(ctx)
	return copied, err
}

const (
	switchAttempts = 10
	// catchUpTime is the longest time for the last pass, while the old index is
	// blocked. If it is not enough, there will be another attempt.
	catchUpTime = 5 * time.Second
)

// reachSwitch catches up and switches. While others write so much that the last pass
// takes too long, it tries again.
func (m *migrating) reachSwitch(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		if _, err := m.catchUp(ctx, PhaseCopy); err != nil {
			return err
		}
		err := m.switchOver(ctx)
		if err == nil || ctx.Err() != nil || attempt == switchAttempts {
			return err
		}
		if !errors.Is(err, search.ErrTimeout) && !errors.Is(err, errUnequal) {
			return err
		}
	}
}

// switchOver makes the new index the searched one, at a moment when both are equal.
// The old index takes no writes until running gateways have noticed: otherwise a
// gateway might show a new session, and then search the new index before it is
// copied.
func (m *migrating) switchOver(ctx context.Context) (err error) {
	m.report(PhaseSwitch, m.progress.Done, m.progress.Of)
	return m.blocked(ctx, func(ctx context.Context) error {
		err := m.updateAliases(ctx, clause{"add": clause{"index": m.new, "alias": m.ownNames().read}})
		if err != nil {
			return err
		}
		_ = sleep(ctx, m.limits.noticed) // the switch is done
		return nil
	})
}

// blocked runs f while nobody can write to the old index and both indices are equal.
func (m *migrating) blocked(ctx context.Context, f func(context.Context) error) (err error) {
	m.marks.Blocked = true
	if err := m.saveMarks(ctx); err != nil {
		return err
	}
	defer func() {
		steady, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, m.retryBusy(steady, func() error { return m.unblock(steady) }))
	}()
	// It returns when all writes that had begun have ended.
	err = m.client.call(ctx, esapi.IndicesAddBlockRequest{Index: []string{m.old}, Block: "write", Instrument: m.client.instrument}, nil)
	if err != nil {
		return fmt.Errorf("block %s for writes: %w", m.old, err)
	}
	within, cancel := context.WithTimeout(ctx, catchUpTime)
	defer cancel()
	if _, err := m.catchUp(within, PhaseSwitch); err != nil {
		return err
	}
	if err := m.mustEqual(within); err != nil {
		return err
	}
	return f(ctx)
}

// unblock lets everybody write to the old index again. The index may be gone.
func (m *migrating) unblock(ctx context.Context) error {
	err := m.setting(ctx, m.old, clause{"index.blocks.write": nil})
	if err != nil && !errors.Is(err, ErrNoIndex) {
		return fmt.Errorf("lift the write block of %s, which the next run does too: %w", m.old, err)
	}
	m.marks.Blocked = false
	return m.saveMarks(ctx)
}

func (s *Store) setting(ctx context.Context, index string, settings clause) error {
	body, err := stdjson.Marshal(settings)
	if err != nil {
		return fmt.Errorf("elasticsearch: settings: %w", err)
	}
	return s.client.call(ctx, esapi.IndicesPutSettingsRequest{Index: []string{index}, Body: bytes.NewReader(body), Instrument: s.client.instrument}, nil)
}

func (s *Store) updateAliases(ctx context.Context, actions ...clause) error {
	body, err := stdjson.Marshal(clause{"actions": actions})
	if err != nil {
		return fmt.Errorf("elasticsearch: aliases: %w", err)
	}
	return s.client.call(ctx, esapi.IndicesUpdateAliasesRequest{Body: bytes.NewReader(body), Instrument: s.client.instrument}, nil)
}

func (s *Store) deleteIndex(ctx context.Context, name string) error {
	err := s.client.call(ctx, esapi.IndicesDeleteRequest{Index: []string{name}, Instrument: s.client.instrument}, nil)
	if errors.Is(err, ErrNoIndex) {
		return nil
	}
	return err
}

func (m *migrating) saveMarks(ctx context.Context) error {
	body, err := stdjson.Marshal(clause{"_meta": metadata(m.has, m.marks)})
	if err != nil {
		return fmt.Errorf("elasticsearch: metadata: %w", err)
	}
	err = m.client.call(ctx, esapi.IndicesPutMappingRequest{Index: []string{m.new}, Body: bytes.NewReader(body), Instrument: m.client.instrument}, nil)
	if err == nil {
		m.changed, m.saved = false, time.Now()
	}
	return err
}

func (m *migrating) report(phase string, done, of int64) {
	m.progress = MigrationProgress{Phase: phase, Done: done, Of: of}
	if m.options.Progress != nil {
		m.options.Progress(m.progress)
	}
}

// AbortMigration deletes the new index. Errors: ErrNoMigration, ErrSwitched.
func (s *Store) AbortMigration(ctx context.Context) (deleted string, err error) {
	l, err := s.locate(ctx)
	switch {
	case err != nil:
		return "", err
	case !l.isDouble() && !l.switched:
		return "", fmt.Errorf("elasticsearch: %w", ErrNoMigration)
	case l.switched:
		return "", fmt.Errorf("elasticsearch: %w", ErrSwitched)
	}
	if left := l.own.Mappings.Meta.Migration; left.Blocked && left.Old == l.plain.name {
		if err := s.setting(ctx, l.plain.name, clause{"index.blocks.write": nil}); err != nil {
			return "", err
		}
	}
	return l.own.name, s.deleteIndex(ctx, l.own.name)
}

// DropOld ends a migration: the aliases without a number lead to the new index from
// then on, and the old index is deleted. Gateways of the old version stop answering.
// What others have written to the old index until that moment is in the new one. If
// it is interrupted, it goes on when it is called again.
//
// Errors: ErrNoMigration, ErrNotSwitched, ErrMigrationState, *UncopiedError.
func (s *Store) DropOld(ctx context.Context, o MigrateOptions) (dropped string, err error) {
	l, err := s.locate(ctx)
	switch {
	case err != nil:
		return "", err
	case l.own.name == "", l.own.name == l.plain.name && l.own.Mappings.Meta.Migration.OldUUID == "":
		return "", fmt.Errorf("elasticsearch: %w", ErrNoMigration)
	case !l.switched:
		return "", fmt.Errorf("elasticsearch: %w", ErrNotSwitched)
	}
	old := l.own.Mappings.Meta.Migration.Old
	if l.plain.name != "" && l.plain.name != l.own.name {
		m, err := s.openMigration(l, o)
		if err != nil {
			return "", err
		}
		if err := m.moveWriters(ctx); err != nil {
			return "", err
		}
	}
	return old, s.finishDrop(ctx, l.own, old)
}

// moveWriters makes the new index the one that everybody writes to. The read alias is
// away for some time: a gateway of the old version that knew the index must not search
// one of another schema.
func (m *migrating) moveWriters(ctx context.Context) error {
	if err := m.compare(ctx); err != nil {
		return err
	}
	plain := m.names(session.KindSession)
	for attempt := 1; ; attempt++ {
		if _, err := m.catchUp(ctx, PhaseFollow); err != nil {
			return err
		}
		err := m.blocked(ctx, func(ctx context.Context) error {
			return m.updateAliases(ctx,
				clause{"remove": clause{"index": m.old, "alias": plain.read, "must_exist": false}},
				clause{"remove": clause{"index": m.old, "alias": plain.write, "must_exist": false}},
				clause{"add": clause{"index": m.new, "alias": plain.write, "is_write_index": true}},
			)
		})
		if err == nil || ctx.Err() != nil || attempt == switchAttempts ||
			!errors.Is(err, search.ErrTimeout) && !errors.Is(err, errUnequal) {
			return err
		}
	}
}

// finishDrop runs when all write to the new index.
func (s *Store) finishDrop(ctx context.Context, own located, old string) error {
	if err := s.deleteIndex(ctx, old); err != nil {
		return fmt.Errorf("delete %s: %w", old, err)
	}
	if err := sleep(ctx, s.limits.noticed); err != nil {
		return err
	}
	err := s.updateAliases(ctx, clause{"add": clause{"index": own.name, "alias": s.names(session.KindSession).read}})
	if err != nil {
		return err
	}
	if err := s.setting(ctx, own.name, clause{"index.gc_deletes": nil}); err != nil {
		return err
	}
	m := migrating{Store: s, new: own.name, has: own.Mappings.Meta.Scopegate} // no marks: there is no migration any more
	return m.saveMarks(ctx)
}
