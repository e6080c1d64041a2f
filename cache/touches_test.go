package cache

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

var noon = time.Date(2020, 1, 1, 12, 0, 0, 0, time.UTC)

// news of one epoch: behind from, one touch of each company.
func news(epoch string, from uint64, companies ...tenancy.CompanyID) News {
	n := News{Mark: Mark{Position: Position{epoch, from}}, Complete: from}
	for _, company := range companies {
		n.Sequence++
		n.Touches = append(n.Touches, Touch{Sequence: n.Sequence, Companies: []tenancy.CompanyID{company}})
	}
	return n
}

// followed has read up to sequence 5 of epoch a.
func followed(t *testing.T) *touches {
	t.Helper()
	known := newTouches(noon)
	if known.take(news("a", 5), noon) {
		t.Fatal("the first read is no gap")
	}
	return known
}

func TestATouchMakesStaleWhatWasLoadedForItsScopeBefore(t *testing.T) {
	known := followed(t)
	if known.take(news("a", 5, 1), noon) { // 6 touches company 1
		t.Fatal("a touch is no gap")
	}
	for name, tt := range map[string]struct {
		companies []tenancy.CompanyID
		at        Position
		want      standing
	}{
		"of the scope, before":       {[]tenancy.CompanyID{1, 2}, Position{"a", 5}, standingStale},
		"of the scope, at the touch": {[]tenancy.CompanyID{1, 2}, Position{"a", 6}, standingCurrent},
		"of another scope":           {[]tenancy.CompanyID{2, 3}, Position{"a", 5}, standingCurrent},
		"before what is known":       {[]tenancy.CompanyID{2, 3}, Position{"a", 4}, standingStale},
		"ahead of what was read":     {[]tenancy.CompanyID{2, 3}, Position{"a", 7}, standingStale},
		"of another epoch":           {[]tenancy.CompanyID{2, 3}, Position{"b", 6}, standingStale},
		"of no known position":       {[]tenancy.CompanyID{2, 3}, Position{}, standingStale},
	} {
		for range 2 { // the second time from memory
			if got := known.standing(tenancytest.Scope(t, tt.companies...), tt.at, noon, noon); got != tt.want {
				t.Errorf("%s: %d, want %d", name, got, tt.want)
			}
		}
	}
}

func TestAGapMakesAllThatIsOlderStale(t *testing.T) {
	later := noon.Add(time.Second)
	scope := tenancytest.Scope(t, 1)
	for name, tt := range map[string]struct {
		read News
		at   time.Time
		gap  bool
	}{
		"nothing new":                {news("a", 5), later, false},
		"a touch of another company": {news("a", 5, 9), later, false},
		"a jump in the sequence":     {news("a", 6, 9), later, true},
		"cut at its beginning":       {News{Mark: Mark{Position: Position{"a", 9}}, Complete: 9}, later, true},
		"a sequence that goes back":  {news("a", 4), later, true},
		"a new epoch":                {news("b", 0), later, true},
		"a new epoch, as far":        {news("b", 5), later, true},
		"after two silent seconds":   {news("a", 5), noon.Add(silence + 1), true},
	} {
		t.Run(name, func(t *testing.T) {
			known := followed(t)
			before := Position{"a", 5}
			if gap := known.take(tt.read, tt.at); gap != tt.gap {
				t.Errorf("gap: %v, want %v", gap, tt.gap)
			}
			want := standingCurrent
			if tt.gap {
				want = standingStale
			}
			if got := known.standing(scope, before, noon, tt.at); got != want {
				t.Errorf("what was loaded before: %d, want %d", got, want)
			}
			read, _ := known.note(tt.at)
			if got := known.standing(scope, read, tt.at, tt.at); got != standingCurrent {
				t.Errorf("what is loaded now: %d, want it to be current", got)
			}
		})
	}
}

func TestASilentLogVerifiesNothingAndLosesAllThatIsOlder(t *testing.T) {
	known, scope := followed(t), tenancytest.Scope(t, 1)
	silent := noon.Add(silence + 1)
	if read, applied := known.note(silent); read.known() || applied.known() {
		t.Errorf("it tells a position: %+v", read)
	}
	if got := known.standing(scope, Position{"a", 5}, noon, silent); got != standingStale {
		t.Errorf("loaded before: %d", got)
	}
	if got := known.standing(scope, Position{}, silent, silent); got != standingUnverified {
		t.Errorf("loaded since: %d", got)
	}
	back := silent.Add(time.Second)
	known.take(news("a", 5), back)
	if got := known.standing(scope, Position{}, silent, back); got != standingStale {
		t.Errorf("loaded in silence, now that it is over: %d", got)
	}
}

func TestATouchOfAllMakesEverythingStale(t *testing.T) {
	known, scope := followed(t), tenancytest.Scope(t, 1)
	known.take(News{
		Mark: Mark{Position: Position{"a", 6}}, Complete: 5, Touches: []Touch{{Sequence: 6, All: true}},
	}, noon)
	if got := known.standing(scope, Position{"a", 5}, noon, noon); got != standingStale {
		t.Errorf("loaded before: %d", got)
	}
	if got := known.standing(scope, Position{"a", 6}, noon, noon); got != standingCurrent {
		t.Errorf("loaded behind it: %d", got)
	}
}

func TestTouchesTakeEffectInSteps(t *testing.T) {
	known, scope := followed(t), tenancytest.Scope(t, 1)
	known.take(news("a", 5, 1), noon)
	known.take(news("a", 6, 1), noon.Add(time.Millisecond))
	at := func(after time.Duration) standing {
		return known.standing(scope, Position{"a", 6}, noon, noon.Add(after))
	}
	if got := at(touchStep - 1); got != standingCurrent {
		t.Errorf("within a step of the first: %d", got)
	}
	if _, applied := known.note(noon.Add(touchStep - 1)); applied.Sequence != 6 {
		t.Errorf("in effect up to %d, want 6", applied.Sequence)
	}
	if got := at(touchStep); got != standingStale {
		t.Errorf("a step later: %d", got)
	}
}

func TestTouchesAreForgottenWhenAllTheyTouchedIsGone(t *testing.T) {
	known := followed(t)
	known.take(news("a", 5, 1), noon)
	at := noon
	for range 25 * 60 {
		at = at.Add(time.Second)
		known.take(news("a", known.mark().Sequence), at)
	}
	known.take(news("a", 6, 2), at)
	if len(known.history) != 1 || len(known.last) != 1 {
		t.Errorf("it remembers %d touches of %d companies, want 1 of 1", len(known.history), len(known.last))
	}
	if got := known.standing(tenancytest.Scope(t, 3), Position{"a", 5}, noon, at); got != standingStale {
		t.Errorf("loaded before what is forgotten: %d", got)
	}
}

func TestMoreTouchesThanAreRememberedMakeEverythingStale(t *testing.T) {
	known := followed(t)
	many := make([]tenancy.CompanyID, maxTouches+1)
	for i := range many {
		many[i] = tenancy.CompanyID(i + 10)
	}
	known.take(News{
		Mark: Mark{Position: Position{"a", 6}}, Complete: 5, Touches: []Touch{{Sequence: 6, Companies: many}},
	}, noon)
	if got := known.standing(tenancytest.Scope(t, 1), Position{"a", 5}, noon, noon); got != standingStale {
		t.Errorf("it was loaded before: %d", got)
	}
	if len(known.history) > maxTouches {
		t.Errorf("%d touches are remembered", len(known.history))
	}
}

// The state is held to a model that knows the whole log and has no memory of
// what it was asked: nothing touched is ever current, once a step has passed.
func TestTouchesAgreeWithAModelOfTheWholeLog(t *testing.T) {
	scopes := []tenancy.Scope{
		tenancytest.Scope(t, 1), tenancytest.Scope(t, 2, 3), tenancytest.Scope(t, 1, 3, 5, 7), tenancytest.Scope(t, 1, 2, 3, 4, 5, 6, 7, 8),
	}
	rapid.Check(t, func(t *rapid.T) {
		known, now := newTouches(noon), noon
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
		var kept []loaded
		gap := func() {
			for i := range kept {
				kept[i].gapped = true
			}
		}
		take := func(from int, complete int) {
			n := News{Mark: Mark{Position: Position{"a", uint64(len(log))}}, Complete: uint64(complete)}
			for i := from; i < len(log); i++ {
				touch := Touch{Sequence: uint64(i + 1), All: log[i] == 0}
				if log[i] != 0 {
					touch.Companies = []tenancy.CompanyID{log[i]}
				}
				n.Touches = append(n.Touches, touch)
			}
			known.take(n, now)
			read, contact, following = len(log), now, true
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				log = append(log, tenancy.CompanyID(rapid.IntRange(0, 8).Draw(t, "company")))
			},
			"read": func(*rapid.T) {
				if !following || now.Sub(contact) > silence {
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
				position, _ := known.note(now)
				kept = append(kept, loaded{scope: rapid.IntRange(0, 3).Draw(t, "scope"), at: read, known: position, begun: now})
			},
			"": func(t *rapid.T) {
				ask := now
				if following && now.Sub(contact) <= silence && rapid.Bool().Draw(t, "a step later") {
					ask = now.Add(min(touchStep, silence-now.Sub(contact)))
				}
				silent := !following || ask.Sub(contact) > silence
				due := len(known.pending) == 0 || ask.Sub(known.stepped) >= touchStep
				for i, l := range kept {
					got := known.standing(scopes[l.scope], l.known, l.begun, ask)
					touched := false
					for n := l.at; n < read; n++ {
						touched = touched || log[n] == 0 || scopes[l.scope].Contains(log[n])
					}
					switch {
					case silent && got == standingCurrent:
						t.Fatalf("load %d is current while the log is silent", i)
					case silent:
					case (l.gapped || !l.known.known()) && got != standingStale:
						t.Fatalf("load %d is %d after a gap", i, got)
					case touched && got == standingCurrent && due:
						t.Fatalf("load %d is current and was touched", i)
					case !touched && !l.gapped && l.known.known() && got != standingCurrent:
						t.Fatalf("load %d is %d, though nothing touched it", i, got)
					}
				}
			},
		})
	})
}

func BenchmarkStanding(b *testing.B) {
	for _, companies := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("of %d companies", companies), func(b *testing.B) {
			ids := make([]tenancy.CompanyID, companies)
			for i := range ids {
				ids[i] = tenancy.CompanyID(i + 1)
			}
			scope := tenancytest.Scope(b, ids...)
			known := newTouches(noon)
			known.take(news("a", 5), noon)
			known.take(news("a", 5, 20_000, 20_001), noon)
			for b.Loop() {
				if known.standing(scope, Position{"a", 5}, noon, noon) != standingCurrent {
					b.Fatal("touched")
				}
			}
		})
	}
}
