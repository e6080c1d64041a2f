package elastic

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/session"
)

// While sessions are migrated to another schema, they are in two indices: the old
// one behind the aliases of names, which gateways of the old version and other
// producers use, and one of this program's schema. The aliases of the latter contain
// the number of the schema, so no alias that an old gateway reads ever moves. The
// write alias is there from the beginning: it tells our writers to write to both
// indices. The read alias appears when the index is complete: from then on it is
// searched. See Migrate.
//
// Companies and grants stay where they are: their mapping is the same in all schemas
// since directorySchema, and old and new gateways must see the same grants at every
// moment.
type layout struct {
	plain    located // behind the aliases without a number; "": none
	own      located // behind the aliases with this program's schema; "": none
	switched bool    // own is complete and searched
}

// located is an index with its description.
type located struct {
	name string
	described
}

// isAlias reports whether an alias leads to the index.
func (d described) isAlias(name string) bool {
	_, ok := d.Aliases[name]
	return ok
}

// directorySchema is the first schema whose companies and grants have today's
// mapping, and oldestMigrated the first one from which sessions can be migrated.
const (
	directorySchema = 2
	oldestMigrated  = 2
)

// ownNames are the aliases of sessions whose names contain this program's schema.
func (s *Store) ownNames() names {
	read := s.names(session.KindSession).read + "-schema" + strconv.Itoa(s.steps.SearchedSince())
	return names{read: read, write: read + "-write"}
}

// locate finds the indices of sessions. They may be closed, and of any schema.
// Errors: ErrSeveral; ErrNoIndex when there is none.
func (s *Store) locate(ctx context.Context) (l layout, err error) {
	plain, own := s.names(session.KindSession), s.ownNames()
	var answer map[string]described
	err = s.client.call(ctx, esapi.IndicesGetRequest{
		Index: []string{own.read, own.write, plain.read}, IgnoreUnavailable: new(true),
		FilterPath: paths(describedPaths), Instrument: s.client.instrument,
	}, &answer)
	if err != nil {
		return layout{}, err
	}
	for name, index := range answer {
		isRead := index.isAlias(own.read)
		isOwn := isRead || index.isAlias(own.write)
		isPlain := index.isAlias(plain.read) || !isOwn
		if isPlain && l.plain.name != "" || isOwn && l.own.name != "" {
			return layout{}, fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrSeveral)
		}
		if isPlain {
			l.plain = located{name, index}
		}
		if isOwn {
			l.own, l.switched = located{name, index}, isRead
		}
	}
	if l.plain.name == "" && !l.switched {
		return l, fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrNoIndex)
	}
	return l, nil
}

// read returns the index that is searched.
func (l layout) read() located {
	if l.switched {
		return l.own
	}
	return l.plain
}

// isDouble reports whether sessions are written to two indices.
func (l layout) isDouble() bool { return l.own.name != "" && l.own.name != l.plain.name }

// checkedFitness returns what is known after the layout was found.
func (s *Store) checkedFitness(l layout) (v checkedFitness) {
	v.read = s.names(session.KindSession).read
	if l.switched {
		v.read = s.ownNames().read
	}
	if l.isDouble() {
		v.second = l.own.name
	}
	v.shards, v.step, v.err = s.fit(l)
	v.unwritable = v.err
	if s.isMigratable(l.plain.Mappings.Meta.Scopegate) {
		v.unwritable = nil
		if l.plain.Settings.Index.Closed == "true" {
			v.unwritable = fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrClosed)
		}
	}
	return v
}

// fit returns the number of shards and the schema of the searched index, or the
// reason why it cannot be searched.
func (s *Store) fit(l layout) (shards int, step schema.Step, err error) {
	shards, step, err = l.read().check(session.KindSession, s.limits, s.steps)
	if errors.Is(err, ErrSchema) {
		err = s.explain(err, l.read().Mappings.Meta.Scopegate, l.own.name != "")
	}
	return shards, step, err
}

// isMigratable reports whether this program can write sessions to an index, and
// migrate them to its own schema.
func (s *Store) isMigratable(has mark) bool {
	return has.Version >= oldestMigrated && s.steps.After(has.Version).Elasticsearch() == schema.Rewritten
}

// explain adds to an ErrSchema what to do.
func (s *Store) explain(err error, has mark, begun bool) error {
	newest := s.steps.Newest().Schema
	if has.Version > newest {
		return err // which says it
	}
	words := fmt.Sprintf("the index has schema %d, this program searches schema %d", has.Version, newest)
	switch {
	case s.isMigratable(has) && begun:
		words += ": the migration by `scopegate index migrate` is not complete; gateways of the old version go on searching"
	case s.isMigratable(has):
		words += ": run `scopegate index migrate`; gateways of the old version go on searching"
	case has.Version == 0:
		words = "the index behind the read alias was not made by scopegate"
	case has.Version == newest:
		words = fmt.Sprintf("the index has schema %d with another folding table: make a new index and import again", newest)
	default:
		words += ": run `scopegate dump` and import the dump into a new index"
	}
	return fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, schemaError{reason.Text(words)})
}

// target is what a search reads. Its parts belong together: an index must be searched
// by the rules of its own schema.
type target struct {
	alias string
	step  schema.Step
}

// target returns what was found by the last check.
func (s *Store) target() target {
	found := target{s.names(session.KindSession).read, s.steps.Newest()}
	known := s.fits.known.Load()
	if known != nil && known.read != "" {
		found.alias = known.read
	}
	if known != nil && known.step.Schema != 0 {
		found.step = known.step
	}
	return found
}

// searched returns the alias that sessions are read from.
func (s *Store) searched() string { return s.target().alias }

// second returns the name of the index that sessions are written to after the first
// one, "" when there is none.
func (s *Store) second() string {
	if known := s.fits.known.Load(); known != nil {
		return known.second
	}
	return ""
}

// isMigrating reports whether a migration is under way, as Elasticsearch says now.
func (s *Store) isMigrating(ctx context.Context) bool {
	_ = s.inspect(ctx) // why searches are not possible does not matter here
	return s.second() != ""
}
