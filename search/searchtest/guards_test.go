package searchtest

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
)

// conditionsSet lists the conditions that a query sets.
func conditionsSet(a ask) []string {
	q, err := a.forEngine()
	if err != nil {
		return nil
	}
	var names []string
	for field, value := range reflect.ValueOf(q.Filter).Fields() {
		if !value.IsZero() {
			names = append(names, field.Name)
		}
	}
	return names
}

// wantEveryCondition checks that some query set each condition of a filter.
func wantEveryCondition(t *testing.T, set map[string]bool, by string) {
	t.Helper()
	for field := range reflect.TypeFor[search.Filter]().Fields() {
		if !set[field.Name] {
			t.Errorf("no question sets %s: add it to %s", field.Name, by)
		}
	}
}

func TestEveryConditionOfAFilterIsAskedForInPairs(t *testing.T) {
	set := map[string]bool{}
	for _, p := range parameters() {
		a := everything(pairCo)
		p.set(&a)
		for _, name := range conditionsSet(a) {
			set[name] = true
		}
	}
	wantEveryCondition(t, set, "parameters")
}

func TestEveryConditionOfAFilterIsGenerated(t *testing.T) {
	set := map[string]bool{}
	witness := full(t)
	rapid.Check(t, func(t *rapid.T) {
		if len(set) == reflect.TypeFor[search.Filter]().NumField() {
			return
		}
		for _, c := range conditions() {
			a := everything(pairCo)
			c.narrow(t, &a, witness)
			for _, name := range conditionsSet(a) {
				set[name] = true
			}
		}
	})
	wantEveryCondition(t, set, "conditions")
}

func full(t *testing.T) record {
	t.Helper()
	r, err := newRecord(json.RawMessage(`{"id":"a","companyId":1,"name":"Ada Example","chatId":"c","clientId":"x","botStatus":"ON",` +
		`"status":"OPEN","operatorId":"o","messengerType":"WEB","tags":"a, b","operatorType":"BOT","messageCount":2,` +
		`"clientMessageCount":2,"markedAsSpam":true,"clientBanned":true,"createdAt":"2024-01-02T03:04:05.006Z",` +
		`"updatedAt":"2024-01-02T03:04:05.006Z","closedAt":"2024-01-02T03:04:05.006Z","whatsappPhone":"+1 555 0100","rating":4.5,` +
		`"isLostSession":true,"unreadClientMessageCount":1,"nps":9,"timerFirstAnswer":30}`))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Engines are compared with the naive scan: a condition that it does not know would
// not be tested.
func TestEveryConditionOfAFilterKeepsTheNaiveScanFromASession(t *testing.T) {
	no, long := false, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	high, low := 1e6, -1e6
	foreign := map[reflect.Type]any{
		reflect.TypeFor[string]():   "another",
		reflect.TypeFor[[]string](): []string{"another"},
		reflect.TypeFor[int64]():    int64(3),
		reflect.TypeFor[*bool]():    &no,
		reflect.TypeFor[*float64](): &high,
	}
	own := map[string]func(*ask){
		"From":      func(a *ask) { a.query.Filter.From = long },
		"To":        func(a *ask) { a.query.Filter.To = time.UnixMilli(0) },
		"Keyword":   func(a *ask) { a.keyword = "another" },
		"DateField": func(a *ask) { a.query.Filter.DateField, a.query.Filter.To = search.UpdatedAt, time.UnixMilli(0) },
		// What the session has is what must not match.
		"MessengerTypesNot": func(a *ask) { a.query.Filter.MessengerTypesNot = []string{"WEB"} },
		"StatusNot":         func(a *ask) { a.query.Filter.StatusNot = []string{"OPEN"} },
		"OperatorIDsNot":    func(a *ask) { a.query.Filter.OperatorIDsNot = []string{"o"} },
		"TagsNot":           func(a *ask) { a.query.Filter.TagsNot = []string{"b"} },
		"NPSMax":            func(a *ask) { a.query.Filter.NPSMax = &low },
		"RatingMax":         func(a *ask) { a.query.Filter.RatingMax = &low },
		// The session that full makes has client messages only.
		"OnlyClientMessages": nil,
	}
	for field := range reflect.TypeFor[search.Filter]().Fields() {
		a := everything(1)
		set, special := own[field.Name]
		value, known := foreign[field.Type]
		switch {
		case special && set == nil:
			continue
		case special:
			set(&a)
		case known:
			reflect.ValueOf(&a.query.Filter).Elem().FieldByIndex(field.Index).Set(reflect.ValueOf(value))
		default:
			t.Errorf("%s of type %s: say here what no session has", field.Name, field.Type)
			continue
		}
		found, err := scan([]record{full(t)}, a)
		if err != nil {
			t.Fatal(err)
		}
		if found.total != 0 {
			t.Errorf("the naive scan knows nothing of %s", field.Name)
		}
	}
}

// The generated queries and the pairs do not say what the right answer is; the named
// cases do. Each condition needs one that matches some sessions and not all.
func TestEveryConditionOfAFilterHasANamedCase(t *testing.T) {
	shown := map[string]bool{"Keyword": true} // the cases of words and phones are in files of their own
	for _, of := range []struct {
		reads   []read
		fixture []spec
	}{{filterReads(), filterFixture()}, {listReads(), filterFixture()}, {dateReads(), dateFixture()}} {
		for _, r := range of.reads {
			set := conditionsSet(everything(1).where(r.filter))
			if set = slices.DeleteFunc(set, isBoundOfDate(r.filter)); len(set) != 1 {
				continue
			}
			if n := len(strings.Fields(r.want)); n > 0 && n < len(of.fixture) {
				shown[set[0]] = true
			}
		}
	}
	for field := range reflect.TypeFor[search.Filter]().Fields() {
		if !shown[field.Name] {
			t.Errorf("no case shows what %s matches, and what not: add one to filterReads, listReads or dateReads", field.Name)
		}
	}
}

// isBoundOfDate tells the dates that a date field needs to have a meaning.
func isBoundOfDate(f search.Filter) func(string) bool {
	return func(name string) bool { return f.DateField != "" && (name == "From" || name == "To") }
}
