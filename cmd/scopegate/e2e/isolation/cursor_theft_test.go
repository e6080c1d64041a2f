package isolation_test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tenancy"
)

func TestLinksLeadEachAccountThroughWhatItMaySeeAndNoFurther(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			w := newWorld(t, empty(t))
			for _, c := range w.callers {
				for _, byName := range []bool{false, true} {
					q := inquiry{selection: selection{all: true}, limit: 7, byName: byName}
					a := q.byURL()
					begins := nextTarget(a)
					for a.target != "" {
						want := q.answeredTo(w.model, c, begins)
						r := w.mustAnswer(t, c, a, want)
						a.target, q.after = r.Next(), want.last
					}
				}
			}
		})
	}
}

// mustAnswer asks, and holds the answer against the model's.
func (w *world) mustAnswer(t *testing.T, c caller, a asked, want outcome) harness.Reply {
	t.Helper()
	r, err := ask(t.Context(), w.Gateway, c, a)
	if err != nil {
		t.Fatal(err)
	}
	if fault := want.fault(r, unknown, a.method); fault != "" {
		t.Fatalf("%s asks %s %s: %s", c.name, a.target, a.body, fault)
	}
	return r
}

// theft is a cursor that somebody got for something, and who uses it for what.
type theft struct {
	owner, thief caller
	q, other     inquiry
	cursor       string
}

// drawTheft draws the cursor's owner and search, and makes of it, often, the same
// search in other words.
func (w *world) drawTheft(t *testing.T, rt *rapid.T) theft {
	t.Helper()
	good := slices.DeleteFunc(slices.Clone(w.callers), func(c caller) bool { return c.refused != "" })
	whose := rapid.IntRange(0, len(good)-1)
	companies := []tenancy.CompanyID{1, 2, 4, 7, 10, 30}
	x := theft{owner: good[whose.Draw(rt, "owner")], q: drawInquiry(rt, companies)}
	x.thief, x.other = x.owner, x.q
	if rapid.Bool().Draw(rt, "by another account") {
		x.thief = good[whose.Draw(rt, "thief")]
	}
	switch rapid.IntRange(0, 5).Draw(rt, "for") {
	case 0:
		x.other = drawInquiry(rt, companies)
	case 1: // the same companies, otherwise written
		x.other.companies, x.other.list = append(slices.Clone(x.q.companies), x.q.companies...), true
		slices.Reverse(x.other.companies)
	case 2:
		x.other.unlike++
	case 3:
		x.other.byName = !x.q.byName
	case 4: // another part of the same
		x.other.limit, x.other.fields = x.q.limit+1, []string{"id"}
	}
	r, err := ask(t.Context(), w.Gateway, x.owner, x.q.byURL())
	if err != nil {
		t.Fatal(err)
	}
	_, x.cursor, _ = strings.Cut(r.Next(), "cursor=")
	if (x.cursor == "") != (x.outcome(w).last == nil) {
		rt.Fatalf("%+v of %s leads to %q", x.q, x.owner.name, r.Next())
	}
	if x.cursor == "" {
		rt.Skip("one page has it all")
	}
	return x
}

func (x theft) outcome(w *world) outcome { return x.q.answeredTo(w.model, x.owner, "") }

// fair reports whether the cursor is the thief's and for what is asked.
func (x theft) fair() bool {
	a, b := x.q, x.other
	return x.owner.name == x.thief.name && a.keyword == b.keyword && a.byName == b.byName && a.unlike == b.unlike && a.key() == b.key()
}

func distinct(ids []tenancy.CompanyID) []tenancy.CompanyID {
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

// with continues the search at the cursor, by URL or by body.
func (q inquiry) with(cursor string, byBody bool) (a asked, next string) {
	a = q.byURL()
	if byBody {
		a = q.byBody()
	}
	next = nextTarget(a)
	a.target = next + "cursor=" + cursor
	return a, next
}

func TestACursorIsForItsAccountAndItsSearchAlone(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			w := newWorld(t, empty(t))
			fair := 0
			rapid.Check(t, func(rt *rapid.T) {
				x := w.drawTheft(t, rt)
				want := problemOutcome(http.StatusBadRequest, "")
				a, next := x.other.with(x.cursor, rapid.Bool().Draw(rt, "by body"))
				if x.fair() {
					fair++
					x.other.after = x.outcome(w).last
					want = x.other.answeredTo(w.model, x.thief, next)
				}
				r, err := ask(t.Context(), w.Gateway, x.thief, a)
				if err != nil {
					t.Fatal(err)
				}
				if fault := want.fault(r, unknown, a.method); fault != "" {
					rt.Fatalf("the cursor of %s for %+v, used by %s for %+v: %s", x.owner.name, x.q, x.thief.name, x.other, fault)
				}
			})
			if fair == 0 {
				t.Error("no cursor was used as it is meant")
			}
		})
	}
}

func TestACursorCanBeNeitherReadNorMade(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			w := newWorld(t, empty(t))
			rapid.Check(t, func(rt *rapid.T) {
				x := w.drawTheft(t, rt)
				x.thief, x.other = x.owner, x.q
				checkSealed(rt, x.cursor)
				forged := x.forge(t, rt, w)
				if forged == x.cursor {
					rt.Skip("nothing was altered")
				}
				a, _ := x.other.with(forged, rapid.Bool().Draw(rt, "by body"))
				r, err := ask(t.Context(), w.Gateway, x.thief, a)
				if err != nil {
					t.Fatal(err)
				}
				if fault := problemOutcome(http.StatusBadRequest, "").fault(r, unknown, a.method); fault != "" {
					rt.Fatalf("%s, made of %s: %s", forged, x.cursor, fault)
				}
			})
		})
	}
}

// checkSealed looks in the cursor for a position: an id and a name, or a date of
// 13 digits. Shorter texts might be there by chance.
func checkSealed(rt *rapid.T, cursor string) {
	sealed, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		rt.Fatal(err)
	}
	for _, secret := range []string{"canary", "160000"} {
		if strings.Contains(string(sealed), secret) || strings.Contains(cursor, secret) {
			rt.Fatalf("%s tells %s", cursor, secret)
		}
	}
}

// forge makes something like the cursor.
func (x theft) forge(t *testing.T, rt *rapid.T, w *world) string {
	t.Helper()
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	letter := func(label string) string { return string(letters[rapid.IntRange(0, len(letters)-1).Draw(rt, label)]) }
	at := rapid.IntRange(0, len(x.cursor)-1).Draw(rt, "at")
	switch rapid.IntRange(0, 5).Draw(rt, "how") {
	case 0:
		return x.cursor[:at] + letter("letter") + x.cursor[at+1:]
	case 1:
		return x.cursor[:max(at, 1)]
	case 2:
		return x.cursor + x.cursor[:max(at, 1)]
	case 3:
		return x.cursor + letter("more")
	case 4: // two of one place cut into one
		r, err := ask(t.Context(), w.Gateway, x.owner, x.q.byURL())
		if err != nil {
			t.Fatal(err)
		}
		_, twin, _ := strings.Cut(r.Next(), "cursor=")
		if twin == x.cursor {
			rt.Fatalf("two cursors of one place are one: %s", twin)
		}
		if cut := x.cursor[:at] + twin[at:]; cut != twin {
			return cut
		}
	}
	return strings.Repeat(letter("all"), len(x.cursor))
}
