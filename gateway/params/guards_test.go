package params

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/scopegate/scopegate/search"
)

// sample is a value that a parameter may have.
func sample(t *testing.T, p param) string {
	t.Helper()
	switch p.kind {
	case kindBool:
		return "true"
	case kindInt, kindInts, kindNumber:
		return "7"
	case kindDate:
		return "2024-01-02T03:04:05Z"
	case kindText, kindTexts:
		if p.enum != nil {
			return p.enum[len(p.enum)-1]
		}
		return "example"
	}
	t.Fatalf("%s: say here what it may be", p.name)
	return ""
}

// A filter that is decoded and is no part of the key would let two searches
// share a cache entry.
func TestEveryFilterSetsAConditionAndChangesTheKey(t *testing.T) {
	set := map[string]bool{}
	for _, p := range searchParams {
		if !p.filter {
			continue
		}
		const bound = "&from=2020-01-01T00:00:00Z" // without one, dateField says nothing
		query := p.name + "=" + sample(t, p)
		plain, err := Search(Input{Query: bound})
		if p.name == "from" {
			plain, err = Search(Input{})
		} else {
			query += bound
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := Search(Input{Query: query})
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if bytes.Equal(plain.Query.CountKey(), got.Query.CountKey()) {
			t.Errorf("%s does not change the key", p.name)
		}
		for field, value := range reflect.ValueOf(got.Query.Filter).Fields() {
			if !reflect.DeepEqual(value.Interface(), reflect.ValueOf(plain.Query.Filter).FieldByIndex(field.Index).Interface()) {
				set[field.Name] = true
			}
		}
	}
	for field := range reflect.TypeFor[search.Filter]().Fields() {
		if !set[field.Name] {
			t.Errorf("no parameter that is marked as a filter sets %s", field.Name)
		}
	}
}
