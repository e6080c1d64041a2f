package searchtest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// errUncaught: no check of the topic failed on the mutant.
var errUncaught = errors.New("no check failed")

// mutant is an engine that is wrong in one way, and the topic whose checks must
// find out.
type mutant struct {
	name  string
	topic string
	hooks hooks
}

func mutants() []mutant {
	var all []mutant
	for _, some := range [][]mutant{
		scopeMutants(), filterMutants(), listMutants(), dateMutants(), keywordMutants(), phoneMutants(),
		sortMutants(), pageMutants(), fieldMutants(), snapshotMutants(), summaryMutants(), otherMutants(),
	} {
		all = append(all, some...)
	}
	return all
}

func TestEveryMutantIsCaughtByItsTopic(t *testing.T) {
	t.Parallel()
	shared, right := newScopes(t), newEnv(newMemory(hooks{}), nil)
	deep, wide := newEnv(newMemory(hooks{}), nil), newEnv(newMemory(hooks{}), nil)
	err := errors.Join(right.write(t.Context(), fixture(t)...), writeDeep(t.Context(), deep), writeWide(t.Context(), wide))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			records := right.records
			switch m.topic {
			case "deep":
				records = deep.records
			case "wide":
				records = wide.records
			}
			engine := newMemory(m.hooks)
			engine.load(records)
			e := newEnv(engine, shared)
			maps.Copy(e.records, records)
			if err := firstFailure(t.Context(), e, m.topic); err == nil {
				t.Error(errUncaught)
			}
		})
	}
}

// firstFailure runs the checks of a topic. The first of the deep ones and the first
// of the wide ones write what has been loaded already, and are left out.
func firstFailure(ctx context.Context, e *env, topic string) error {
	for _, c := range slices.Concat(checks(), deepChecks()[1:], wideChecks()[1:]) {
		if !strings.HasPrefix(c.name, topic+"/") {
			continue
		}
		if err := c.run(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// Generated checks must find the mistakes of matching, ordering and paging too.
func TestMutantsAreCaughtByGeneratedChecks(t *testing.T) {
	t.Parallel()
	shared := newScopes(t)
	for _, m := range mutants() {
		switch m.topic {
		case "deep", "length", "cancel", "write", "syntax", "friend", "scope", "position", "wide", "snapshot":
			continue // beyond what is generated, or there by luck only
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(newMemory(m.hooks), shared)
			caught := false
			for range 10 { // a mistake that few questions touch may take more than one run
				rapid.Check(t, func(rt *rapid.T) {
					caught = caught || round(t.Context(), rt, e) != nil
				})
				if caught {
					return
				}
			}
			t.Error(errUncaught)
		})
	}
}
