package searchtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
)

// keysetChecks use positions of rows. Those in every order are among the sort
// cases.
func keysetChecks() []check {
	paged := everything(pageCo).by("name")
	return []check{
		{"keyset/through a filter", walk(paged.find("pager 1").page(0, 2))},
		{"keyset/through one page exactly", walk(paged.page(0, pageRows))},
		{"keyset/through several companies", walk(everything(pageCo, sortCo, twinCo, placeCo).by("-startedAt").page(0, 9))},
		{"keyset/without a count", walk(paged.page(0, 4).without(true, false))},
		{"keyset/with few fields", walk(paged.page(0, 4).fields(fieldsOf("status")))},
		{"keyset/by id alone", walk(everything(sortCo).by("id").page(0, 2))},
		{"keyset/by id downwards", walk(everything(sortCo).by("-id").page(0, 2))},
		{"keyset/behind the last row", afterRow(paged, pageRows-1, 0)},
		{"keyset/behind the first row", afterRow(paged, 0, 0)},
		{"keyset/and an offset of one", afterRow(paged.page(1, 5), 6, 0)},
		{"keyset/and an offset over the rest", afterRow(paged.page(30, 5), 6, 0)},
		{"keyset/and an offset to the last row", afterRow(paged.page(17, 5), 6, 0)},
		{"keyset/behind a row that the filter leaves out", func(ctx context.Context, e *env) error {
			_, _, err := e.agree(ctx, paged.find("pager 2").after(writePosition("pager 1", "g04")))
			return err
		}},
		{"keyset/behind a row of a foreign company", func(ctx context.Context, e *env) error {
			whole, err := scan(e.held(everything(sortCo).companies), everything(sortCo).by("name"))
			if err != nil {
				return err
			}
			for _, r := range whole.page {
				if _, _, err := e.agree(ctx, paged.after(writePosition(r.place(paged.query.Sort)...))); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

func fieldsOf(names ...string) session.FieldSet {
	var set session.FieldSet
	for _, name := range names {
		i, _, _ := session.FieldByName(name)
		set = set.With(i)
	}
	return set
}

// afterRow reads after the n-th row, by the given number of its sort values; 0: by
// all of them.
func afterRow(a ask, n, keys int) func(context.Context, *env) error {
	return func(ctx context.Context, e *env) error {
		whole, err := scan(e.held(a.companies), a.page(0, 1<<30))
		if err != nil {
			return err
		}
		place := whole.page[n].place(a.query.Sort)
		if keys > 0 {
			place = place[:keys]
		}
		_, _, err = e.agree(ctx, a.after(writePosition(place...)))
		return err
	}
}

// positionChecks use positions that need not belong to a row.
func positionChecks() []check {
	var all []check
	behindOf := func(name string, a ask, place ...any) {
		all = append(all, check{"position/" + name, func(ctx context.Context, e *env) error {
			_, _, err := e.agree(ctx, a.after(writePosition(place...)))
			return err
		}})
	}
	paged, mixed, names := everything(pageCo).by("name"), everything(sortCo), everything(orderCo)
	behindOf("behind all of one name", paged, "pager 0")
	behindOf("behind all of the last name", paged, "pager 2")
	behindOf("behind all of one name and some", paged.page(2, 5), "pager 0")
	behindOf("between two names", paged, "pager 11")
	behindOf("before all names", paged, "")
	behindOf("past all names", paged, "pagers")
	behindOf("between two ids of a name", paged, "pager 1", "g05")
	behindOf("before all ids of a name", paged, "pager 1", "")
	behindOf("past all ids of a name", paged, "pager 1", "\U0010ffff")
	behindOf("name downwards", paged.by("-name"), "pager 1")
	behindOf("name downwards and id", paged.by("-name"), "pager 1", "g05")
	behindOf("name and id downwards", paged.by("name", "-id"), "pager 1", "g05")
	behindOf("behind the empty text", names.by("name"), "")
	behindOf("behind the empty text downwards", names.by("-name"), "")
	behindOf("behind the missing", names.by("name"), nil)
	behindOf("behind the missing downwards", names.by("-name"), nil)
	behindOf("behind one of the missing", names.by("name"), nil, "o13")
	behindOf("behind one of the missing downwards", names.by("-name"), nil, "o13")
	behindOf("behind one of the missing, ids downwards", names.by("-name", "-id"), nil, "o14")
	behindOf("behind an emoji", names.by("name"), "\U0001f600")
	behindOf("behind a folded name", names.by("name"), keyword.Fold("Ёж"))
	behindOf("behind a text full of syntax", names.by("name"), `a' or "1"=1 \ % * --`)
	behindOf("behind a number", mixed.by("rating"), 4.5)
	behindOf("behind a number downwards", mixed.by("-rating"), 4.5)
	behindOf("between two numbers", mixed.by("rating"), 4.5000005)
	behindOf("before all numbers", mixed.by("rating"), -1e300)
	behindOf("behind a missing number", mixed.by("rating"), nil)
	behindOf("behind a missing number downwards and id", mixed.by("-rating"), nil, "a-sort")
	behindOf("behind a date", mixed.by("startedAt"), epoch.UnixMilli())
	behindOf("behind a date downwards", mixed.by("-startedAt"), epoch.UnixMilli())
	behindOf("behind a date before 1970", mixed.by("startedAt"), -1)
	behindOf("before all dates", mixed.by("startedAt"), -1<<44)
	behindOf("past all dates downwards", mixed.by("-startedAt"), 1<<44)
	behindOf("behind a count", mixed.by("-clientMessageCount"), 9)
	behindOf("behind a count beyond 32 bits", mixed.by("clientMessageCount"), 1<<40)
	behindOf("behind a company", everything(sortCo, pageCo).by("companyId"), sortCo)
	behindOf("behind a company downwards", everything(sortCo, pageCo).by("-companyId"), pageCo)
	behindOf("one key of three", mixed.by("messengerType", "-rating"), "web")
	behindOf("two keys of three", mixed.by("messengerType", "-rating"), "web", 4.5)
	behindOf("a missing key and a number", mixed.by("messengerType", "-rating"), nil, 4.5)
	behindOf("a value and a missing key", mixed.by("messengerType", "-rating"), "web", nil)
	behindOf("missing keys alone", mixed.by("-messengerType", "rating"), nil, nil)
	for n := range 3 {
		for row := 0; row < 15; row += 4 {
			all = append(all, check{fmt.Sprintf("position/%d keys of row %d", n+1, row),
				afterRow(mixed.by("-messengerType", "startedAt"), row, n+1)})
		}
	}
	return append(all, invalidPositionChecks()...)
}

// invalidPositionChecks use positions that belong to another order.
func invalidPositionChecks() []check {
	refused := func(name string, a ask) check {
		return check{"position/" + name, func(ctx context.Context, e *env) error {
			if _, err := e.search(ctx, a); !errors.Is(err, search.ErrInvalidPosition) {
				return fmt.Errorf("%v: error %w, want %w", a, err, search.ErrInvalidPosition)
			}
			return nil
		}}
	}
	a := everything(pageCo)
	return []check{
		refused("more values than keys are refused", a.by("name").after(writePosition("x", "y", "z"))),
		refused("a number for a text is refused", a.by("name").after(writePosition(1))),
		refused("a text for a date is refused", a.by("createdAt").after(writePosition("2024"))),
		refused("a fraction for a count is refused", a.by("messageCount").after(writePosition(1.5))),
		refused("a missing id is refused", a.by("name").after(writePosition("x", nil))),
		refused("an object is refused", a.by("name").after(writePosition(values{}))),
		refused("no JSON is refused", a.by("name").after(&search.Position{Values: []json.RawMessage{json.RawMessage("nul")}})),
	}
}
