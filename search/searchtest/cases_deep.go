package searchtest

import (
	"context"
	"fmt"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// deepRows is more than 10,000, the number of rows at which some engines stop.
const deepRows = 10_050

// deepChecks write many small sessions, then read the end of the order. They are
// kept apart from the other checks because they are slow.
func deepChecks() []check {
	a := everything(deepCo).by("-createdAt")
	one := func(name string, a ask) check {
		return check{"deep/" + name, func(ctx context.Context, e *env) error {
			_, _, err := e.agree(ctx, a)
			return err
		}}
	}
	return []check{
		{"deep/10,050 sessions can be written", writeDeep},
		one("a page of a thousand", a.page(0, 1000)),
		one("a page across row 10,000", a.page(9995, 10)),
		one("a page of a thousand across row 10,000", a.page(9500, 1000)),
		one("the last row", a.page(deepRows-1, 1)),
		one("beyond the end", a.page(deepRows, 10)),
		one("without count", a.page(10_020, 10).without(true, false)),
		one("with a filter", a.where(search.Filter{Status: []string{"OPEN"}}).page(10_001, 20)),
		one("a position past row 10,000", a.after(writePosition(epoch.UnixMilli()-10_010)).page(0, 20)),
		one("a position and an offset past row 10,000", a.after(writePosition(epoch.UnixMilli()-20)).page(10_000, 20)),
		{"deep/a thousand at a time to the end", walk(a.page(0, 1000).fields(fieldsOf("id")).without(true, false))},
		one("a page before one that was read", a.page(10_015, 10)),
		one("a page behind one that was read", a.page(10_030, 10)),
		{"deep/pages while others write before them", deepWhileWritten(a)},
		wholly("deep/a snapshot", a),
		wholly("deep/a snapshot by id", a.by("id").fields(fieldsOf("id", "createdAt"))),
		wholly("deep/a snapshot of few from far on", a.page(10_020, 25)),
	}
}

// deepWhileWritten reads neighbouring deep pages while sessions are added and
// deleted before them. So what an engine remembers from one page is wrong for the
// next.
func deepWhileWritten(a ask) func(context.Context, *env) error {
	return func(ctx context.Context, e *env) error {
		for i := range 6 {
			if _, _, err := e.agree(ctx, a.page(10_005+3*i, 5)); err != nil {
				return err
			}
			if err := e.write(ctx, mustBuild(spec{fmt.Sprintf("deep-new-%d", i), deepCo, values{"createdAt": at(1000 - 3000*(i%2))}})...); err != nil {
				return err
			}
			if i%3 != 2 {
				continue
			}
			if _, err := e.remove(ctx, "deep-new-0", "deep-new-1"); err != nil {
				return err
			}
		}
		_, _, err := e.agree(ctx, a.page(10_005, 5))
		return err
	}
}

func mustBuild(specs ...spec) []session.Document {
	docs, err := build(specs)
	if err != nil {
		panic(err) // the suite's own sessions
	}
	return docs
}

func writeDeep(ctx context.Context, e *env) error {
	const batch = 2010
	for from := 0; from < deepRows; from += batch {
		var specs []spec
		for i := from; i < from+batch; i++ {
			specs = append(specs, spec{fmt.Sprintf("deep-%05d", i*7919%deepRows), deepCo,
				values{"status": "OPEN", "createdAt": at(-i / 2 * 2)}})
		}
		docs, err := build(specs)
		if err != nil {
			return err
		}
		if err := e.write(ctx, docs...); err != nil {
			return err
		}
	}
	return nil
}
