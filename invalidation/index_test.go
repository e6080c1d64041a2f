package invalidation

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

var noon = time.Date(2020, 1, 1, 12, 0, 0, 0, time.UTC)

// newBatch is a batch of one epoch: behind from, one event of each company.
func newBatch(epoch string, from uint64, companies ...tenancy.CompanyID) Batch {
	n := Batch{Offset: Offset{Position: Position{epoch, from}}, Complete: from}
	for _, company := range companies {
		n.Sequence++
		n.Events = append(n.Events, Event{Sequence: n.Sequence, Companies: []tenancy.CompanyID{company}})
	}
	return n
}

// followed has read up to sequence 5 of epoch a.
func followed(t *testing.T) *Index {
	t.Helper()
	known := NewIndex(noon)
	if known.Add(newBatch("a", 5), noon) {
		t.Fatal("the first read is no gap")
	}
	return known
}

func TestAnEventMakesStaleWhatWasLoadedForItsScopeBefore(t *testing.T) {
	known := followed(t)
	if known.Add(newBatch("a", 5, 1), noon) { // 6 is an event of company 1
		t.Fatal("an event is no gap")
	}
	for name, tt := range map[string]struct {
		companies []tenancy.CompanyID
		at        Position
		want      Validity
	}{
		"of the scope, before":       {[]tenancy.CompanyID{1, 2}, Position{"a", 5}, Stale},
		"of the scope, at the event": {[]tenancy.CompanyID{1, 2}, Position{"a", 6}, Current},
		"of another scope":           {[]tenancy.CompanyID{2, 3}, Position{"a", 5}, Current},
		"before what is known":       {[]tenancy.CompanyID{2, 3}, Position{"a", 4}, Stale},
		"ahead of what was read":     {[]tenancy.CompanyID{2, 3}, Position{"a", 7}, Stale},
		"of another epoch":           {[]tenancy.CompanyID{2, 3}, Position{"b", 6}, Stale},
		"of no known position":       {[]tenancy.CompanyID{2, 3}, Position{}, Stale},
	} {
		for range 2 { // the second time from memory
			if got := known.Validity(tenancytest.Scope(t, tt.companies...), tt.at, noon, noon); got != tt.want {
				t.Errorf("%s: %d, want %d", name, got, tt.want)
			}
		}
	}
}

func TestAGapMakesAllThatIsOlderStale(t *testing.T) {
	later := noon.Add(time.Second)
	scope := tenancytest.Scope(t, 1)
	for name, tt := range map[string]struct {
		read Batch
		at   time.Time
		gap  bool
	}{
		"nothing new":                 {newBatch("a", 5), later, false},
		"an event of another company": {newBatch("a", 5, 9), later, false},
		"a jump in the sequence":      {newBatch("a", 6, 9), later, true},
		"cut at its beginning":        {Batch{Offset: Offset{Position: Position{"a", 9}}, Complete: 9}, later, true},
		"a sequence that goes back":   {newBatch("a", 4), later, true},
		"a new epoch":                 {newBatch("b", 0), later, true},
		"a new epoch, as far":         {newBatch("b", 5), later, true},
		"after two silent seconds":    {newBatch("a", 5), noon.Add(Silence + 1), true},
	} {
		t.Run(name, func(t *testing.T) {
			known := followed(t)
			before := Position{"a", 5}
			if gap := known.Add(tt.read, tt.at); gap != tt.gap {
				t.Errorf("gap: %v, want %v", gap, tt.gap)
			}
			want := Current
			if tt.gap {
				want = Stale
			}
			if got := known.Validity(scope, before, noon, tt.at); got != want {
				t.Errorf("what was loaded before: %d, want %d", got, want)
			}
			read, _ := known.Position(tt.at)
			if got := known.Validity(scope, read, tt.at, tt.at); got != Current {
				t.Errorf("what is loaded now: %d, want it to be current", got)
			}
		})
	}
}

func TestASilentLogVerifiesNothingAndLosesAllThatIsOlder(t *testing.T) {
	known, scope := followed(t), tenancytest.Scope(t, 1)
	silent := noon.Add(Silence + 1)
	if read, applied := known.Position(silent); read.Known() || applied.Known() {
		t.Errorf("it tells a position: %+v", read)
	}
	if got := known.Validity(scope, Position{"a", 5}, noon, silent); got != Stale {
		t.Errorf("loaded before: %d", got)
	}
	if got := known.Validity(scope, Position{}, silent, silent); got != Unverified {
		t.Errorf("loaded since: %d", got)
	}
	back := silent.Add(time.Second)
	known.Add(newBatch("a", 5), back)
	if got := known.Validity(scope, Position{}, silent, back); got != Stale {
		t.Errorf("loaded in Silence, now that it is over: %d", got)
	}
}

func TestAnEventOfAllMakesEverythingStale(t *testing.T) {
	known, scope := followed(t), tenancytest.Scope(t, 1)
	known.Add(Batch{
		Offset: Offset{Position: Position{"a", 6}}, Complete: 5, Events: []Event{{Sequence: 6, All: true}},
	}, noon)
	if got := known.Validity(scope, Position{"a", 5}, noon, noon); got != Stale {
		t.Errorf("loaded before: %d", got)
	}
	if got := known.Validity(scope, Position{"a", 6}, noon, noon); got != Current {
		t.Errorf("loaded behind it: %d", got)
	}
}

func TestEventsTakeEffectInSteps(t *testing.T) {
	known, scope := followed(t), tenancytest.Scope(t, 1)
	known.Add(newBatch("a", 5, 1), noon)
	known.Add(newBatch("a", 6, 1), noon.Add(time.Millisecond))
	at := func(after time.Duration) Validity {
		return known.Validity(scope, Position{"a", 6}, noon, noon.Add(after))
	}
	if got := at(Step - 1); got != Current {
		t.Errorf("within a step of the first: %d", got)
	}
	if _, applied := known.Position(noon.Add(Step - 1)); applied.Sequence != 6 {
		t.Errorf("in effect up to %d, want 6", applied.Sequence)
	}
	if got := at(Step); got != Stale {
		t.Errorf("a step later: %d", got)
	}
}

func TestEventsAreForgottenWhenAllTheyInvalidatedIsGone(t *testing.T) {
	known := followed(t)
	known.Add(newBatch("a", 5, 1), noon)
	at := noon
	for range 25 * 60 {
		at = at.Add(time.Second)
		known.Add(newBatch("a", known.Offset().Sequence), at)
	}
	known.Add(newBatch("a", 6, 2), at)
	if len(known.history) != 1 || len(known.last) != 1 {
		t.Errorf("it remembers %d events of %d companies, want 1 of 1", len(known.history), len(known.last))
	}
	if got := known.Validity(tenancytest.Scope(t, 3), Position{"a", 5}, noon, at); got != Stale {
		t.Errorf("loaded before what is forgotten: %d", got)
	}
}

func TestMoreEventsThanAreRememberedMakeEverythingStale(t *testing.T) {
	known := followed(t)
	many := make([]tenancy.CompanyID, maxEvents+1)
	for i := range many {
		many[i] = tenancy.CompanyID(i + 10)
	}
	known.Add(Batch{
		Offset: Offset{Position: Position{"a", 6}}, Complete: 5, Events: []Event{{Sequence: 6, Companies: many}},
	}, noon)
	if got := known.Validity(tenancytest.Scope(t, 1), Position{"a", 5}, noon, noon); got != Stale {
		t.Errorf("it was loaded before: %d", got)
	}
	if len(known.history) > maxEvents {
		t.Errorf("%d events are remembered", len(known.history))
	}
}

// The state is held to a model that knows the whole log and has no memory of
// what it was asked: nothing changed is ever current, once a step has passed.
func TestEventsAgreeWithAModelOfTheWholeLog(t *testing.T) {
	scopes := []tenancy.Scope{
		tenancytest.Scope(t, 1), tenancytest.Scope(t, 2, 3), tenancytest.Scope(t, 1, 3, 5, 7), tenancytest.Scope(t, 1, 2, 3, 4, 5, 6, 7, 8),
	}
	rapid.Check(t, func(t *rapid.T) {
		known, now := NewIndex(noon), noon
		var log []tenancy.CompanyID // of sequence i+1; 0: of all
		var lost int                // what is at or before it is stale by a gap
		read, following := 0, false
		contact := now
		type loaded struct {
			scope  int
			at     int // the length of the log when the search began, as far as it was read
			known  Position
			begun  time.Time
			gapped bool
		}
		var stored []loaded
		gap := func() {
			for i := range stored {
				stored[i].gapped = true
			}
		}
		take := func(from int, complete int) {
			n := Batch{Offset: Offset{Position: Position{"a", uint64(len(log))}}, Complete: uint64(complete)}
			for i := from; i < len(log); i++ {
				event := Event{Sequence: uint64(i + 1), All: log[i] == 0}
				if log[i] != 0 {
					event.Companies = []tenancy.CompanyID{log[i]}
				}
				n.Events = append(n.Events, event)
			}
			known.Add(n, now)
			read, contact, following = len(log), now, true
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				log = append(log, tenancy.CompanyID(rapid.IntRange(0, 8).Draw(t, "company")))
			},
			"read": func(*rapid.T) {
				if !following || now.Sub(contact) > Silence {
					gap()
				}
				take(read, read)
			},
			"lose": func(t *rapid.T) {
				if read == len(log) {
					t.Skip("nothing to lose")
				}
				lost = len(log)
				gap()
				take(lost, lost)
			},
			"pass": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 1500).Draw(t, "ms")) * time.Millisecond)
			},
			"load": func(t *rapid.T) {
				position, _ := known.Position(now)
				stored = append(stored, loaded{scope: rapid.IntRange(0, 3).Draw(t, "scope"), at: read, known: position, begun: now})
			},
			"": func(t *rapid.T) {
				ask := now
				if following && now.Sub(contact) <= Silence && rapid.Bool().Draw(t, "a step later") {
					ask = now.Add(min(Step, Silence-now.Sub(contact)))
				}
				silent := !following || ask.Sub(contact) > Silence
				due := len(known.pending) == 0 || ask.Sub(known.stepped) >= Step
				for i, l := range stored {
					got := known.Validity(scopes[l.scope], l.known, l.begun, ask)
					changed := false
					for n := l.at; n < read; n++ {
						changed = changed || log[n] == 0 || scopes[l.scope].Contains(log[n])
					}
					switch {
					case silent && got == Current:
						t.Fatalf("load %d is current while the log is silent", i)
					case silent:
					case (l.gapped || !l.known.Known()) && got != Stale:
						t.Fatalf("load %d is %d after a gap", i, got)
					case changed && got == Current && due:
						t.Fatalf("load %d is current and was changed", i)
					case !changed && !l.gapped && l.known.Known() && got != Current:
						t.Fatalf("load %d is %d, though nothing changed it", i, got)
					}
				}
			},
		})
	})
}

func BenchmarkValidity(b *testing.B) {
	for _, companies := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("of %d companies", companies), func(b *testing.B) {
			ids := make([]tenancy.CompanyID, companies)
			for i := range ids {
				ids[i] = tenancy.CompanyID(i + 1)
			}
			scope := tenancytest.Scope(b, ids...)
			known := NewIndex(noon)
			known.Add(newBatch("a", 5), noon)
			known.Add(newBatch("a", 5, 20_000, 20_001), noon)
			for b.Loop() {
				if known.Validity(scope, Position{"a", 5}, noon, noon) != Current {
					b.Fatal("changed")
				}
			}
		})
	}
}
