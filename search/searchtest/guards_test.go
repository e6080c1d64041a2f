package searchtest

import (
	"encoding/json"
	"reflect"
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
		`"updatedAt":"2024-01-02T03:04:05.006Z","whatsappPhone":"+1 555 0100"}`))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Engines are compared with the naive scan: a condition that it does not know would
// not be tested.
func TestEveryConditionOfAFilterKeepsTheNaiveScanFromASession(t *testing.T) {
	no, long := false, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	foreign := map[reflect.Type]any{
		reflect.TypeFor[string]():   "another",
		reflect.TypeFor[[]string](): []string{"another"},
		reflect.TypeFor[int64]():    int64(3),
		reflect.TypeFor[*bool]():    &no,
	}
	own := map[string]func(*ask){
		"From":      func(a *ask) { a.query.Filter.From = long },
		"To":        func(a *ask) { a.query.Filter.To = time.UnixMilli(0) },
		"Keyword":   func(a *ask) { a.keyword = "another" },
		"DateField": func(a *ask) { a.query.Filter.DateField, a.query.Filter.To = search.UpdatedAt, time.UnixMilli(0) },
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
