package searchtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// compare reports every difference between an engine's answer and the naive one.
func compare(a ask, got search.Result, want answer) error {
	faults := []error{compareCount(a, got.Count, want), comparePage(a, got.Page, want)}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%v:\n%w", a, err)
	}
	return nil
}

func compareCount(a ask, got search.Count, want answer) error {
	total := want.total
	if a.query.WithoutCount {
		total = 0
	}
	if got.Total != total {
		return fmt.Errorf("count: got %d, want %d", got.Total, total)
	}
	return nil
}

func comparePage(a ask, got search.Page, want answer) error {
	if a.query.WithoutItems {
		want.page, want.more = nil, false
	}
	if err := compareIDs(a, got.Rows, want); err != nil {
		return err
	}
	if got.More != want.more {
		return fmt.Errorf("more: got %t, want %t", got.More, want.more)
	}
	fields := names(a.query.Fields)
	for i, row := range got.Rows {
		if err := compareItem(row.JSON, want.page[i].project(fields)); err != nil {
			return fmt.Errorf("row %d, session %q: %w", i, want.page[i].id, err)
		}
		if err := compareRow(a, row, want.page[i], i == len(got.Rows)-1); err != nil {
			return fmt.Errorf("row %d, session %q: %w", i, want.page[i].id, err)
		}
	}
	return nil
}

// compareIDs compares the ids if the fields include id, else the number of rows.
// The rows are compared one by one afterwards.
func compareIDs(a ask, rows []search.Row, want answer) error {
	if len(rows) == len(want.page) && (!a.query.Fields.Has(idIndex()) || sameItems(a, rows, want)) {
		return nil
	}
	got := make([]string, 0, len(rows))
	for _, row := range rows {
		got = append(got, rowID(row))
	}
	ids := want.ids()
	if slices.Equal(got, ids) {
		return nil
	}
	return fmt.Errorf("ids (%d, want %d):\n got %s\nwant %s", len(got), len(ids),
		shorten(got), shorten(ids))
}

func idIndex() int {
	i, _, _ := session.FieldByName("id")
	return i
}

// sameItems is a fast check: most answers are equal, and comparing whole items is
// faster than finding their ids.
func sameItems(a ask, rows []search.Row, want answer) bool {
	fields := names(a.query.Fields)
	for i, row := range rows {
		if !bytes.Equal(row.JSON, want.page[i].project(fields)) {
			return false
		}
	}
	return true
}

// shorten keeps a list of ids readable.
func shorten(ids []string) string {
	const most = 40
	if len(ids) > most {
		return fmt.Sprintf("%q … %q", ids[:most/2], ids[len(ids)-most/2:])
	}
	return fmt.Sprintf("%q", ids)
}

func rowID(row search.Row) string {
	var item struct{ ID string }
	if err := json.Unmarshal(row.JSON, &item); err != nil {
		return "(" + err.Error() + ")"
	}
	return item.ID
}

func compareRow(a ask, got search.Row, want record, last bool) error {
	if got.CompanyID != want.company {
		return fmt.Errorf("company: got %d, want %d", got.CompanyID, want.company)
	}
	if !last && got.Position.Values == nil {
		return nil
	}
	return comparePosition(got.Position, want.place(a.query.Sort), a.query.Sort)
}

func comparePosition(got search.Position, want []any, keys []search.SortKey) error {
	place, err := readPosition(got, keys)
	if err != nil {
		return err
	}
	if !slices.Equal(place, want) {
		return fmt.Errorf("position under %v (-want +got):\n%s", keys, cmp.Diff(want, place))
	}
	return search.CheckPosition(keys, got)
}

// project writes the session with the named fields only; no names: all fields.
func (r record) project(names []string) json.RawMessage {
	if names == nil {
		return r.wire
	}
	item := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			item = append(item, ',')
		}
		item = append(strconv.AppendQuote(item, name), ':')
		if value, ok := r.raw[name]; ok {
			item = append(item, value...)
		} else {
			item = append(item, "null"...)
		}
	}
	return append(item, '}')
}

// names lists the names of the fields for project.
func names(fields session.FieldSet) []string {
	if fields.IsAll() {
		return nil
	}
	return fields.Names()
}

// compareItem checks that an item has the same keys in the same order, with equal
// values. An engine may write a number or a string in another form.
func compareItem(got, want json.RawMessage) error {
	if bytes.Equal(got, want) {
		return nil
	}
	gotKeys, gotItem, err := decodeItem(got)
	if err != nil {
		return fmt.Errorf("item is not a JSON object: %w", err)
	}
	wantKeys, wantItem, err := decodeItem(want)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(wantKeys, gotKeys); diff != "" {
		return fmt.Errorf("fields (-want +got):\n%s", diff)
	}
	if !reflect.DeepEqual(gotItem, wantItem) {
		return fmt.Errorf("item (-want +got):\n%s", cmp.Diff(wantItem, gotItem))
	}
	return nil
}

func decodeItem(raw json.RawMessage) (keys []string, item map[string]any, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&item); err != nil {
		return nil, nil, err
	}
	d = json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, err
		}
		keys = append(keys, fmt.Sprint(key))
	}
	return keys, plainNumbers(item).(map[string]any), nil
}

// plainNumbers makes 7, 7.0 and 7e0 equal.
func plainNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			v[key] = plainNumbers(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = plainNumbers(inner)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		if n := int64(f); float64(n) == f && n > -1<<53 && n < 1<<53 {
			return n
		}
		return f
	}
	return value
}
