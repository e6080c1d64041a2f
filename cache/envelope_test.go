package cache

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// drawRaw draws bytes, or none at all.
func drawRaw() *rapid.Generator[json.RawMessage] {
	return rapid.Custom(func(t *rapid.T) json.RawMessage {
		if rapid.Bool().Draw(t, "nil") {
			return nil
		}
		return rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "raw")
	})
}

func drawRow() *rapid.Generator[search.Row] {
	return rapid.Custom(func(t *rapid.T) search.Row {
		row := search.Row{
			CompanyID: tenancy.CompanyID(rapid.Uint32Range(0, uint32(tenancy.MaxCompanyID)).Draw(t, "company")),
			JSON:      drawRaw().Draw(t, "json"),
		}
		if rapid.Bool().Draw(t, "positioned") {
			row.Position.Values = rapid.SliceOfN(drawRaw(), 0, 4).Draw(t, "position")
		}
		return row
	})
}

func drawKey(t *rapid.T, label string) key {
	return key(rapid.SliceOfN(rapid.Byte(), len(key{}), len(key{})).Draw(t, label))
}

func drawEntry(t *rapid.T, of kind) item {
	m := meta{
		key:      drawKey(t, "key"),
		loadedAt: time.Unix(0, rapid.Int64Range(0, 1<<62).Draw(t, "loaded at")),
	}
	if rapid.Bool().Draw(t, "followed") {
		m.position = invalidation.Position{Epoch: rapid.StringN(1, 26, 40).Draw(t, "epoch"), Sequence: rapid.Uint64().Draw(t, "sequence")}
	}
	switch of.(type) {
	case countKind:
		return &entry[count]{meta: m, value: count(rapid.Int64Min(0).Draw(t, "total"))}
	case summaryKind:
		return &entry[*summary]{meta: m, value: (*summary)(drawSummary().Draw(t, "summary"))}
	}
	e := &entry[page]{meta: m, value: page{more: rapid.Bool().Draw(t, "more")}}
	if list := rapid.SliceOfN(drawRow(), 0, 5).Draw(t, "rows"); len(list) > 0 {
		e.value.rows = list
	}
	return e
}

var compareEntries = cmp.AllowUnexported(entry[count]{}, entry[page]{}, entry[*summary]{}, meta{}, page{})

func TestAnEntryIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(kinds()).Draw(t, "kind")
		e := drawEntry(t, p)
		body := appendEntry(nil, e)
		got, err := readEntry(body, e.about().key, p)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, got, compareEntries); diff != "" {
			t.Fatalf("entry (-written +read):\n%s", diff)
		}
		if int64(len(body)) > e.weight() {
			t.Fatalf("%d bytes of an entry that weighs %d: it could be stored and not be opened", len(body), e.weight())
		}
	})
}

func TestAnEntryIsRefusedUnderAnotherKeyAndAsAnotherPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SampledFrom(kinds())
		p, asked := all.Draw(t, "kind"), all.Draw(t, "asked kind")
		e := drawEntry(t, p)
		k := e.about().key
		if p == asked || rapid.Bool().Draw(t, "another key") {
			k[rapid.IntRange(0, len(k)-1).Draw(t, "octet")] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		}
		if _, err := readEntry(appendEntry(nil, e), k, asked); !errors.Is(err, errForeign) {
			t.Fatalf("readEntry: %v", err)
		}
	})
}

func TestPartOfAnEntryIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(kinds()).Draw(t, "kind")
		e := drawEntry(t, p)
		body := appendEntry(nil, e)
		cut := rapid.IntRange(0, len(body)-1).Draw(t, "cut")
		if _, err := readEntry(body[:cut], e.about().key, p); err == nil {
			t.Fatalf("the first %d of %d bytes were taken", cut, len(body))
		}
		if _, err := readEntry(append(body, 0), e.about().key, p); !errors.Is(err, errDamaged) {
			t.Fatalf("with a byte more: %v", err)
		}
	})
}

// FuzzReadEntry looks for bytes that make readEntry panic, or that it takes for
// an entry which does not come back the same.
func FuzzReadEntry(f *testing.F) {
	var k key
	f.Add(appendEntry(nil, pageEntry(meta{key: k, loadedAt: time.Unix(1, 2)}, search.Page{Rows: rows(2), More: true})), false)
	f.Add(appendEntry(nil, &entry[count]{meta: meta{key: k}, value: 7}), true)
	f.Fuzz(func(t *testing.T, body []byte, isCount bool) {
		of := kind(pageKind{})
		if isCount {
			of = countKind{}
		}
		readTwice(t, body, k, of)
	})
}

// FuzzReadSummary does so for summaries.
func FuzzReadSummary(f *testing.F) {
	var k key
	three := summary(threeSessions())
	f.Add(appendEntry(nil, &entry[*summary]{meta: meta{key: k, loadedAt: time.Unix(1, 2)}, value: &three}))
	head := appendEntry(nil, &entry[count]{meta: meta{key: k, loadedAt: time.Unix(1, 2)}})
	head[len(k)] = summaryKind{}.letter()
	f.Add(appendRaw(head[:len(head)-1], []byte("null")))
	f.Fuzz(func(t *testing.T, body []byte) { readTwice(t, body, k, summaryKind{}) })
}

// readTwice reads an entry, if it is one, and reads it again as it is written.
func readTwice(t *testing.T, body []byte, k key, of kind) {
	t.Helper()
	e, err := readEntry(body, k, of)
	if err != nil {
		return
	}
	again, err := readEntry(appendEntry(nil, e), k, of)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, again, compareEntries); diff != "" {
		t.Errorf("read again (-first +second):\n%s", diff)
	}
}
