package searchtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/session"
)

// sortFixture has, for every sortable field, equal values, missing ones, and values
// whose order depends on the comparison: by number or by text, by code point or by
// UTF-16, folded or not.
func sortFixture() []spec {
	texts := []any{"\u0401ж", "ежевика", nil, "\uffee", "\U0001f600", "B", "a", "", "10", "9", "b", nil, "\u200b",
		strings.Repeat("long", 249) + "a", strings.Repeat("long", 249) + "B"}
	numbers := []any{10, 9, 2, 100, 1000, 9, 0, 0, 7, 7, 1 << 40, 3, 0, 11, 12}
	ratings := []any{4.5, 10, nil, -1, 0, 4.500001, 9, 4.5, nil, 0.1, -1.5, 1e9, 100, 1e-7, nil}
	dates := []any{at(0), at(1), nil, at(-1), "1969-12-31T23:59:59.999Z", at(0), nil, "2100-01-01T00:00:00.000Z",
		at(1000), at(999), at(60_000), at(1), "1970-01-01T00:00:00.000Z", nil, at(0)}
	var specs []spec
	for i := range texts {
		v := values{}
		for n, f := range sortable() {
			pick := func(list []any) any { return list[(i*(1+n%2)+n)%len(list)] }
			switch {
			case f.Name == "id", f.Name == "companyId", f.Name == "messageCount":
			case f.Name == "messengerType":
				if i%5 != 4 {
					v[f.Name] = session.MessengerTypes()[i%4]
				}
			case f.Type == session.TypeString:
				v[f.Name] = pick(texts)
			case f.Type == session.TypeInteger:
				v[f.Name] = pick(numbers)
			case f.Type == session.TypeNumber:
				v[f.Name] = pick(ratings)
			case f.Type == session.TypeDate:
				v[f.Name] = pick(dates)
			}
		}
		specs = append(specs, spec{sortID(i), sortCo, v})
	}
	return append(specs, textOrderFixture()...)
}

// sortID makes ids whose byte order differs from the order of their numbers and of
// their folded text.
func sortID(i int) string {
	return []string{"B", "a", "\u00e9", "z", "\U0001f600", "\uffee", "_", "10", "9", "b", "A", "e", "Ё", "ё", "е"}[i] + "-sort"
}

// textOrderFixture is ordered by the folded name, then by id.
func textOrderFixture() []spec {
	names := []any{"", "10", "9", "_", "Anna", "anna", "\u00c1nna", "annab", "Zoe", "\u0435ж", "\u0401ж", "\uffee", "\U0001f600", nil, nil}
	var specs []spec
	for i, name := range names {
		specs = append(specs, spec{fmt.Sprintf("o%02d", i), orderCo, values{"name": name}})
	}
	return specs
}

// sortable lists the sortable fields.
func sortable() []session.Field {
	var fields []session.Field
	for _, f := range session.Fields() {
		if f.SortName != "" {
			fields = append(fields, f)
		}
	}
	return fields
}

func sortChecks() []check {
	var all []check
	for _, f := range sortable() {
		for _, key := range []string{f.Name, "-" + f.Name} {
			all = append(all,
				check{"sort/" + key, ordered(key)},
				check{"keyset/" + key + " one by one", walk(everything(sortCo).by(key).page(0, 1))},
				check{"keyset/" + key + " in pages of eleven", walk(everything(sortCo, pageCo).by(key).page(0, 11))})
		}
	}
	names := everything(orderCo)
	return append(all,
		check{"sort/folded text in code point order", func(ctx context.Context, e *env) error {
			return e.expect(ctx, names.by("name"), "o00 o01 o02 o03 o04 o05 o06 o07 o08 o09 o10 o11 o12 o13 o14")
		}},
		check{"sort/folded text downwards, missing last, equal by id upwards", func(ctx context.Context, e *env) error {
			return e.expect(ctx, names.by("-name"), "o12 o11 o09 o10 o08 o07 o04 o05 o06 o03 o02 o01 o00 o13 o14")
		}},
		check{"sort/folded text downwards, equal by id downwards", func(ctx context.Context, e *env) error {
			return e.expect(ctx, names.by("-name", "-id"), "o12 o11 o10 o09 o08 o07 o06 o05 o04 o03 o02 o01 o00 o14 o13")
		}},
		check{"sort/by a field that all miss", func(ctx context.Context, e *env) error {
			return e.expect(ctx, names.by("-rating"), "o00 o01 o02 o03 o04 o05 o06 o07 o08 o09 o10 o11 o12 o13 o14")
		}},
		check{"sort/the order of the page is that of the whole", walkOffsets(names.by("name"), 2)},
	)
}

// ordered compares all rows in one order.
func ordered(keys ...string) func(context.Context, *env) error {
	return func(ctx context.Context, e *env) error {
		_, _, err := e.agree(ctx, everything(sortCo, pageCo).by(keys...))
		return err
	}
}

// multiSortChecks are orders of several keys.
func multiSortChecks() []check {
	var all []check
	for _, keys := range [][]string{
		{"name", "createdAt"}, {"-name", "createdAt"}, {"name", "-createdAt"}, {"-name", "-createdAt"},
		{"status", "-rating", "name"}, {"-messengerType", "rating", "-startedAt"},
		{"messengerType", "-clientMessageCount", "-id"}, {"companyId", "-updatedAt"}, {"-companyId", "name", "-id"},
		{"operatorId", "operatorName", "-closedAt", "lastMessageCreatedAt", "-messageCount"},
		{"createdAt", "updatedAt", "startedAt", "closedAt", "lastMessageCreatedAt"},
		{"messageCount", "botMessageCount", "operatorMessageCount", "clientMessageCount"},
		{"messengerType", "status", "clientId", "operatorId", "operatorName", "name", "-rating", "-createdAt"},
		{"-startedAt"},
	} {
		name := strings.Join(keys, ",")
		all = append(all,
			check{"sort/" + name + " together", ordered(keys...)},
			check{"keyset/" + name + " in pages of four", walk(everything(sortCo).by(keys...).page(0, 4))})
	}
	return all
}

// walk reads all pages by the engine's own positions. It compares each page, and
// all of them together, with the naive order.
func walk(a ask) func(context.Context, *env) error {
	return func(ctx context.Context, e *env) error {
		whole, err := scan(e.held(a.companies), a.page(0, 1<<30).after(nil))
		if err != nil {
			return err
		}
		var ids []string
		for page := a; ; {
			got, want, err := e.agree(ctx, page)
			if err != nil {
				return err
			}
			ids = append(ids, want.ids()...)
			if !got.Page.More {
				break
			}
			page = page.after(&got.Page.Rows[len(got.Page.Rows)-1].Position)
		}
		return sameWalk(a, ids, whole.ids())
	}
}

// walkOffsets reads all pages by offset, and one page after the last.
func walkOffsets(a ask, size int) func(context.Context, *env) error {
	return func(ctx context.Context, e *env) error {
		whole, err := scan(e.held(a.companies), a.page(0, 1<<30))
		if err != nil {
			return err
		}
		var ids []string
		for offset := 0; offset <= int(whole.total)+size; offset += size {
			_, want, err := e.agree(ctx, a.page(offset, size))
			if err != nil {
				return err
			}
			ids = append(ids, want.ids()...)
		}
		return sameWalk(a, ids, whole.ids())
	}
}

func sameWalk(a ask, got, want []string) error {
	if slices.Equal(got, want) {
		return nil
	}
	return errors.New(a.String() + ": the pages together are not the whole:\n got " + shorten(got) + "\nwant " + shorten(want))
}
