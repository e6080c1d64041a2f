package download

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func resumables() []string { return []string{"CSV", "NDJSON"} }

// TestAnExportThatBreaksAtAnyByteIsResumedToTheWhole: whatever has come, what is
// there in the end are the bytes of an export that did not break.
func TestAnExportThatBreaksAtAnyByteIsResumedToTheWhole(t *testing.T) {
	for _, format := range resumables() {
		t.Run(format, func(t *testing.T) {
			g := newFake(t, hardRows()...)
			client := g.client(t)
			whole, _ := g.file(format, g.rows)
			for at := range len(whole) + 1 {
				g.change(func(g *fakeGateway) { g.cutAt = at })
				o := options(t, format)
				_, err := client.Fetch(t.Context(), o)
				var part *IncompleteError
				if !errors.As(err, &part) {
					t.Fatalf("cut at %d: %v", at, err)
				}
				g.change(func(g *fakeGateway) { g.cutAt = -1 })
				checkGoesOn(t, client, o, whole, fmt.Sprintf("cut at %d", at), 1+min(part.Rows, 1)-part.Rows/4)
			}
		})
	}
}

// TestAPartThatIsCutOffAtAnyByteIsResumedToTheWhole: as a process leaves it that is
// killed while it writes.
func TestAPartThatIsCutOffAtAnyByteIsResumedToTheWhole(t *testing.T) {
	for _, format := range resumables() {
		t.Run(format, func(t *testing.T) {
			g := newFake(t, hardRows()...)
			client := g.client(t)
			whole, _ := g.file(format, g.rows)
			for at := range len(whole) + 1 {
				o := options(t, format)
				rows := plantPart(t, g, o, whole[:at])
				checkGoesOn(t, client, o, whole, fmt.Sprintf("cut off at %d", at), 1+min(rows, 1)-rows/4)
			}
		})
	}
}

// plantPart writes a part, and returns how many whole rows are in it.
func plantPart(t *testing.T, g *fakeGateway, o Options, text []byte) int64 {
	t.Helper()
	digest, err := o.Query.digest()
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPart(o.Path, note{Query: digest, Gateway: gatewayOf(g.url), Account: accountOf(fakeToken)})
	if err == nil {
		_, err = p.file.Write(text)
	}
	if err := errors.Join(err, p.file.Close()); err != nil {
		t.Fatal(err)
	}
	there := newTally(o.Kind, ByOther)
	if err := there.take(text, func([]byte) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return there.rows
}

// checkGoesOn resumes. Rows of two answers are of two snapshots; where one of
// them brought none, there is one.
func checkGoesOn(t *testing.T, client *Client, o Options, whole []byte, when string, snapshots int64) {
	t.Helper()
	o.Resume = true
	result, err := client.Fetch(t.Context(), o)
	if err != nil || content(t, o.Path) != string(whole) || result.Rows != 4 || result.Bytes != int64(len(whole)) {
		t.Fatalf("%s: %+v, %v: %q", when, result, err, content(t, o.Path))
	}
	if int64(result.Snapshots) != snapshots {
		t.Fatalf("%s: %d snapshots, want %d", when, result.Snapshots, snapshots)
	}
	checkNothingElse(t, o.Path)
}

// TestAnExportThatBreaksAgainAndAgainIsWholeInTheEnd of random rows, while others
// are written.
func TestAnExportThatBreaksAgainAndAgainIsWholeInTheEnd(t *testing.T) {
	g := newFake(t)
	client := g.client(t)
	rapid.Check(t, func(rt *rapid.T) {
		format := rapid.SampledFrom(resumables()).Draw(rt, "format")
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab\",\r\n\\ё😀")))
		ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z",ё\\]{1,4}`), 1, 12, rapid.ID).Draw(rt, "ids")
		slices.Sort(ids)
		var rows []session
		for _, id := range ids {
			rows = append(rows, session{id, text.Draw(rt, "name")})
		}
		o := options(t, format)
		if rapid.Bool().Draw(rt, "descending") {
			o.Query["sort"], o.Order = []string{"-id"}, Descending
		}
		o.Resume = true
		g.change(func(g *fakeGateway) { g.rows = rows })
		for {
			g.change(func(g *fakeGateway) { g.cutAt = rapid.IntRange(-1, 60).Draw(rt, "cut") })
			_, err := client.Fetch(t.Context(), o)
			var part *IncompleteError
			if err == nil {
				break
			}
			if !errors.As(err, &part) {
				rt.Fatal(err)
			}
		}
		if o.Order == Descending {
			slices.Reverse(rows)
		}
		want, _ := g.file(format, rows)
		if got := content(t, o.Path); got != string(want) {
			rt.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestEachAnswerThatBringsRowsIsASnapshot(t *testing.T) {
	g := newFake(t, hardRows()...)
	o := options(t, "NDJSON")
	o.Resume = true
	line, _ := g.file("NDJSON", g.rows[:1])
	for _, cut := range []int{len(line), 0, 60, -1} { // the second brings none
		g.change(func(g *fakeGateway) { g.cutAt = cut })
		result, err := g.client(t).Fetch(t.Context(), o)
		if cut >= 0 {
			continue
		}
		if err != nil || result.Snapshots != 3 || result.Rows != 4 {
			t.Errorf("%+v, %v, want 3 snapshots", result, err)
		}
	}
}

func TestAResumptionAsksForWhatIsLeft(t *testing.T) {
	g := newFake(t, hardRows()...)
	for name, test := range map[string]struct {
		query Query
		want  map[string]any
		rows  int64
	}{
		"behind the last id":     {Query{}, map[string]any{}, 4},
		"the rest of a limit":    {Query{"limit": int64(3)}, map[string]any{"limit": 1.}, 3},
		"an offset only once":    {Query{"offset": int64(1)}, map[string]any{}, 4},
		"filters as before":      {Query{"status": []string{"OPEN"}}, map[string]any{"status": []any{"OPEN"}}, 4},
		"nothing when all there": {Query{"limit": int64(2)}, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, "NDJSON")
			for key, value := range test.query {
				o.Query[key] = value
			}
			two, _ := g.file("NDJSON", g.rows[:2])
			plantPart(t, g, o, two)
			o.Resume = true
			g.change(func(g *fakeGateway) { g.asked = []map[string]any{nil} })
			result, err := g.client(t).Fetch(t.Context(), o)
			if err != nil || result.Rows != test.rows {
				t.Fatalf("%+v, %v", result, err)
			}
			if test.want != nil {
				test.want["format"], test.want["resumeAfter"] = "NDJSON", "b,2"
			}
			if got := g.lastAsked(); fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("asked %v, want %v", got, test.want)
			}
		})
	}
}

func TestWhatCannotBeResumedIsSaidBeforeAnythingIsAsked(t *testing.T) {
	g := newFake(t, hardRows()...)
	for name, test := range map[string]struct {
		part string // "": none
		set  func(o *Options)
		want error
		says string
	}{
		"a format without rows": {set: func(o *Options) { o.Kind = Opaque }, want: ErrNotResumable, says: "NDJSON and CSV"},
		"a CSV for Excel":       {set: func(o *Options) { o.Kind = Sheet }, want: ErrNotResumable, says: "NDJSON and CSV"},
		"another order":         {set: func(o *Options) { o.Order = ByOther }, want: ErrNotResumable, says: "sorted by id"},
		"rows without ids":      {set: func(o *Options) { o.Query["fields"] = []string{"name"} }, want: ErrNotResumable, says: "add id to fields"},
		"ids that go down":      {part: "id\r\nb\r\na\r\n", want: ErrNotResumable, says: "not in the order"},
		"an id twice":           {part: "id\r\nb\r\nb\r\n", want: errDoubled, says: "file.part"},
		"a part without ids":    {part: "name\r\nb\r\n", want: ErrNotResumable, says: "add id to fields"},
		"other filters":         {part: "id\r\na\r\n", set: func(o *Options) { o.Query["name"] = "x" }, want: ErrOtherExport, says: "other filters"},
		"a note that is gone": {
			part: "id\r\na\r\n", set: func(o *Options) { _ = os.Remove(noteOf(o.Path)) }, want: ErrOtherExport, says: "file.part.json",
		},
		"a note that is broken": {
			part: "id\r\na\r\n", set: func(o *Options) { _ = os.WriteFile(noteOf(o.Path), []byte("{"), 0o600) }, want: ErrOtherExport, says: "broken",
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, "CSV")
			o.Resume = true
			if test.part != "" {
				plantPart(t, g, o, nil)
				if err := os.WriteFile(partOf(o.Path), []byte(test.part), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if test.set != nil {
				test.set(&o)
			}
			_, err := g.client(t).Fetch(t.Context(), o)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want %v that says %q", err, test.want, test.says)
			}
			if test.part != "" && content(t, partOf(o.Path)) != test.part {
				t.Errorf("the part is now %q", content(t, partOf(o.Path)))
			}
		})
	}
	if len(g.asked) > 0 {
		t.Errorf("asked %v", g.asked)
	}
}

// TestRowsThatDoNotGoOnAreNotTaken: the part stays as it was, whatever the answer
// to the resumption.
func TestRowsThatDoNotGoOnAreNotTaken(t *testing.T) {
	for name, test := range map[string]struct {
		fails func(g *fakeGateway)
		want  error
	}{
		"an id twice":          {func(g *fakeGateway) { g.rows = []session{{"c", ""}, {"c", ""}} }, errDoubled},
		"ids that go down":     {func(g *fakeGateway) { g.rows = []session{{"d", ""}, {"c", ""}} }, errDoubled},
		"a row less":           {func(g *fakeGateway) { g.trailer = func(int) string { return "7" } }, errDisagrees},
		"other columns":        {func(g *fakeGateway) { g.columns = "id,city" }, errOtherColumns},
		"the gateway is older": {func(g *fakeGateway) { g.ignoresResume = true }, errDoubled},
	} {
		t.Run(name, func(t *testing.T) {
			g := newFake(t, session{"b", ""}, session{"c", ""})
			test.fails(g)
			o := options(t, "CSV")
			const part = "id,name\r\na,\r\nb,\r\n"
			plantPart(t, g, o, []byte(part))
			o.Resume = true
			_, err := g.client(t).Fetch(t.Context(), o)
			var broken *IncompleteError
			if !errors.As(err, &broken) || !errors.Is(err, test.want) || broken.Rows != 2 || content(t, partOf(o.Path)) != part {
				t.Errorf("%+v, want %v: %q", err, test.want, content(t, partOf(o.Path)))
			}
		})
	}
}

func TestAPartStaysWhenTheGatewayDoesNotAnswer(t *testing.T) {
	g := newFake(t, hardRows()...)
	o := options(t, "CSV")
	const part = "id,name\r\na,\r\n"
	plantPart(t, g, o, []byte(part))
	o.Resume = true
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.client(t).Fetch(gone, o); !errors.Is(err, context.Canceled) || content(t, partOf(o.Path)) != part {
		t.Errorf("%v: %q", err, content(t, partOf(o.Path)))
	}
}
