package elastic

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
)

// Sort values as Elasticsearch writes them, and their form in a Position.
func TestSortValuesToPositionsAndBack(t *testing.T) {
	for name, c := range map[string]struct {
		key      search.SortKey
		hit      string
		position string
		again    string // in search_after; "": as in the hit
	}{
		"a text":                   {search.SortKey{Field: "name"}, `"anna"`, `"anna"`, ""},
		"a text with escapes":      {search.SortKey{Field: "name"}, `"a\u0062\/"`, `"ab/"`, `"ab/"`},
		"no text":                  {search.SortKey{Field: "name"}, `null`, `null`, ""},
		"a date":                   {search.SortKey{Field: "startedAt"}, `-62135596799999`, `-62135596799999`, ""},
		"no date":                  {search.SortKey{Field: "startedAt"}, `9223372036854775807`, `null`, ""},
		"no date, downwards":       {search.SortKey{Field: "startedAt", Desc: true}, `-9223372036854775808`, `null`, ""},
		"a number":                 {search.SortKey{Field: "rating"}, `1.0E9`, `1000000000`, `1000000000`},
		"a small number":           {search.SortKey{Field: "rating"}, `1.0E-7`, `1e-7`, `1e-7`},
		"no number":                {search.SortKey{Field: "rating"}, `"Infinity"`, `null`, ""},
		"no number, downwards":     {search.SortKey{Field: "rating", Desc: true}, `"-Infinity"`, `null`, ""},
		"a count":                  {search.SortKey{Field: "messageCount"}, `0`, `0`, ""},
		"the largest count":        {search.SortKey{Field: "messageCount"}, `9223372036854775807`, `9223372036854775807`, ""},
		"a company":                {search.SortKey{Field: "companyId"}, `2147483647`, `2147483647`, ""},
		"an id that is not folded": {search.SortKey{Field: "id"}, `"Ё"`, `"Ё"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			keys := []search.SortKey{c.key}
			terms, err := newOrder(keys)
			if err != nil {
				t.Fatal(err)
			}
			p, err := toPosition(terms, []jsontext.Value{jsontext.Value(c.hit), jsontext.Value("4294967298")})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(search.Position{Values: []json.RawMessage{[]byte(c.position)}}, p); diff != "" {
				t.Errorf("position (-want +got):\n%s", diff)
			}
			if err := search.CheckPosition(keys, p); err != nil {
				t.Error(err)
			}
			want := c.again
			if want == "" {
				want = c.hit
			}
			if got := after(terms, p); len(got) != 1 || string(got[0]) != want {
				t.Errorf("search_after %s, want %s", got, want)
			}
		})
	}
}

func TestSortValuesThatCannotBeAreNoPosition(t *testing.T) {
	terms, err := newOrder([]search.SortKey{{Field: "rating"}, {Field: "id"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range map[string][]jsontext.Value{
		"too few":         {jsontext.Value("1")},
		"no number":       {jsontext.Value(`"x"`), jsontext.Value(`"id"`)},
		"no text":         {jsontext.Value("1"), jsontext.Value("2")},
		"another extreme": {jsontext.Value(`"-Infinity"`), jsontext.Value(`"id"`)},
	} {
		if p, err := toPosition(terms, values); err == nil {
			t.Errorf("%s: position %s, want an error", name, p.Values)
		}
	}
}

func TestFieldsThatCannotBeSortedByAreRefused(t *testing.T) {
	for _, field := range []string{"tags", "no such field", "name.sort"} {
		if _, err := newOrder([]search.SortKey{{Field: field}}); !errors.Is(err, errNotSortable) {
			t.Errorf("%s: error %v, want %v", field, err, errNotSortable)
		}
	}
}
