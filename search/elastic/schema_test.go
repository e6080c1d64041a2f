package elastic

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// longer is the list with one more step, which only a newer program knows.
func longer(step schema.Step) schema.List {
	steps := schema.Steps()
	step.Schema, step.Folding, step.Searched = steps.Newest().Schema+1, steps.Newest().Folding, true
	return append(steps, step)
}

func TestAnIndexIsSearchedIfItsSchemaIsKnown(t *testing.T) {
	const first = keyword.FirstFolding
	steps := schema.List{
		{Schema: 1, Folding: first},
		{Schema: 2, Folding: first, Elasticsearch: schema.Rewritten, Searched: true},
		{Schema: 3, Folding: first, Elasticsearch: schema.Added, Searched: true},
	}
	fold := first.Fingerprint()
	for name, c := range map[string]struct {
		mark mark
		want int // 0: refused
	}{
		"the newest":                             {mark{Version: 3, Folding: fold, Since: 2}, 3},
		"an older one":                           {mark{Version: 2, Folding: fold}, 2},
		"one that is too old":                    {mark{Version: 1, Folding: fold}, 0},
		"a newer one with more fields":           {mark{Version: 5, Folding: fold, Since: 2}, 3},
		"a newer one that was written again":     {mark{Version: 5, Folding: fold, Since: 4}, 0},
		"a newer one that does not say since":    {mark{Version: 5, Folding: fold}, 0},
		"a newer one that folds otherwise":       {mark{Version: 5, Folding: "other", Since: 2}, 0},
		"an older one that folds otherwise":      {mark{Version: 2, Folding: "other"}, 0},
		"an index that another program has made": {mark{}, 0},
	} {
		step, err := c.mark.step(steps)
		if step.Schema != c.want || (c.want == 0) != errors.Is(err, ErrSchema) || (err != nil) != errors.Is(err, search.ErrUnavailable) {
			t.Errorf("%s: searched as schema %d, error %v; want schema %d", name, step.Schema, err, c.want)
		}
	}
}

func TestAnIndexOfANewerSchemaIsRefusedWithTheVersionThatMadeIt(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	body := fmt.Sprintf(`{"_meta":{"scopegate":{"schema":%d,"folding":"new","since":9,"program":"v9.8.7"}}}`, s.steps.Newest().Schema+1)
	for _, k := range kinds() {
		if status, answer := ordinary(t, http.MethodPut, "/"+s.names(k.of).read+"/_mapping", body); status != http.StatusOK {
			t.Fatalf("status %d: %s", status, answer)
		}
	}
	s = openWith(t, Options{Addresses: []string{address(t)}, Index: s.options.Index}) // it has not looked at the index before
	_, found := s.Search(t.Context(), tenancytest.Scope(t, 7), everything())
	_, loaded := s.Load(t.Context())
	_, created := s.Create(t.Context())
	for what, err := range map[string]error{
		"Ping": s.Ping(t.Context()), "Search": found, "Load": loaded, "Create": created, "Changes": s.Changes(t.Context(), 10, nil),
	} {
		if !errors.Is(err, ErrSchema) || !errors.Is(err, search.ErrUnavailable) || !strings.Contains(reason.Of(err), "made by scopegate v9.8.7") {
			t.Errorf("%s: error %v, want ErrSchema with the version", what, err)
		}
	}
}

func TestAStepThatOnlyAddsIsDoneInPlaceAndOlderProgramsGoOn(t *testing.T) {
	t.Parallel()
	old := openStore(t, 1)
	write(t, old, newSession(t, "a", 7, nil))
	now := openWith(t, Options{Addresses: []string{address(t)}, Index: old.options.Index})
	now.steps = longer(schema.Step{Elasticsearch: schema.Added})
	scope := tenancytest.Scope(t, 7)
	count := func(when string, s *Store) {
		t.Helper()
		if got, err := s.Search(t.Context(), scope, everything()); err != nil || got.Count.Total != 1 {
			t.Errorf("%s: %d sessions, error %v", when, got.Count.Total, err)
		}
	}
	count("the newer program, before", now)
	for range 2 {
		if created, err := now.Create(t.Context()); err != nil || len(created) > 0 {
			t.Fatalf("created %v, error %v", created, err)
		}
	}
	for _, k := range kinds() {
		_, index, err := now.readIndex(t.Context(), k.of)
		if m := index.Mappings.Meta.Scopegate; err != nil || m.Version != now.steps.Newest().Schema || m.Since != old.steps.Newest().Schema {
			t.Errorf("%s: %+v, error %v", k.word, m, err)
		}
	}
	count("the newer program, after", now)
	if err := old.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	count("the older program, after", old)
	write(t, old, newSession(t, "a", 7, values{"name": "again"}))
	if _, err := old.Load(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAStepThatRewritesLeavesTheIndexAsItIs(t *testing.T) {
	t.Parallel()
	old := openStore(t, 1)
	now := openWith(t, Options{Addresses: []string{address(t)}, Index: old.options.Index})
	now.steps = longer(schema.Step{Elasticsearch: schema.Rewritten})
	if created, err := now.Create(t.Context()); err != nil || len(created) > 0 {
		t.Fatalf("created %v, error %v", created, err)
	}
	_, index, err := now.readIndex(t.Context(), session.KindSession)
	if m := index.Mappings.Meta.Scopegate; err != nil || m != newestMark(old.steps) {
		t.Errorf("%+v, error %v", m, err)
	}
}

func TestAFilterThatAnOlderIndexCannotAnswerIsRefused(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	write(t, s, newSession(t, "a", 7, nil))
	body, err := json.Marshal(map[string]any{"_meta": map[string]any{"scopegate": newestMark(schema.Steps()[:2])}})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := ordinary(t, http.MethodPut, "/"+s.names(session.KindSession).read+"/_mapping", string(body)); status != http.StatusOK {
		t.Fatalf("status %d: %s", status, answer)
	}
	s = openWith(t, Options{Addresses: []string{address(t)}, Index: s.options.Index}) // the other one has looked already
	yes, one := true, 1.0
	for name, f := range map[string]search.Filter{
		"isLostSession": {IsLostSession: &yes}, "hasUnread": {HasUnread: &yes}, "npsMin": {NPSMin: &one}, "npsMax": {NPSMax: &one},
		"timerFirstAnswerMin": {TimerFirstAnswerMin: &one},
	} {
		q := everything()
		q.Filter = f
		_, found := s.Search(t.Context(), tenancytest.Scope(t, 7), q)
		_, summed := s.Summarize(t.Context(), tenancytest.Scope(t, 7), search.SummaryQuery{Filter: f})
		_, opened := s.Snapshot(t.Context(), tenancytest.Scope(t, 7), q)
		for _, err := range []error{found, summed, opened} {
			if !errors.Is(err, errLacking) || !errors.Is(err, search.ErrUnavailable) {
				t.Errorf("%s: error %v, want errLacking", name, err)
			}
		}
	}
	q := everything()
	q.Filter = search.Filter{ClientID: "none", Closed: &yes, RatingMin: &one, DateField: search.ClosedAt}
	if _, err := s.Search(t.Context(), tenancytest.Scope(t, 7), q); err != nil {
		t.Errorf("a filter that it can answer: %v", err)
	}
}
