package searchtest

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/scopegate/scopegate/search"
)

const pageRows = 25

// pageFixture has 25 sessions in three groups of equal names.
func pageFixture() []spec {
	var specs []spec
	for i := range pageRows {
		v := values{"name": fmt.Sprintf("pager %d", i%3), "createdAt": at(i / 2), "startedAt": at(-i / 2)}
		if i%4 == 0 {
			v["rating"] = float64(i % 3)
		}
		specs = append(specs, spec{fmt.Sprintf("g%02d", i), pageCo, v})
	}
	return specs
}

func pageChecks() []check {
	all := everything(pageCo).by("name")
	one := func(name string, a ask) check {
		return check{"page/" + name, func(ctx context.Context, e *env) error {
			_, _, err := e.agree(ctx, a)
			return err
		}}
	}
	return []check{
		one("limit 1", all.page(0, 1)),
		one("limit 1000 of fewer rows", all.page(0, 1000)),
		one("limit is the number of rows", all.page(0, pageRows)),
		one("limit is one below the number of rows", all.page(0, pageRows-1)),
		one("limit is one above the number of rows", all.page(0, pageRows+1)),
		one("offset 1", all.page(1, 10)),
		one("the last full page", all.page(15, 10)),
		one("the last page in part", all.page(20, 10)),
		one("offset at the last row", all.page(pageRows-1, 1)),
		one("offset at the end", all.page(pageRows, 10)),
		one("offset beyond the end", all.page(pageRows+1, 10)),
		one("offset far beyond the end", all.page(math.MaxInt32, 1000)),
		one("offset beyond 32 bits", all.page(1<<40, 10)),
		one("offset with a filter", all.find("pager 1").page(3, 4)),
		one("offset without a match", all.find("nobody").page(3, 4)),
		{"page/pages of 1 by offset", walkOffsets(all, 1)},
		{"page/pages of 7 by offset", walkOffsets(all, 7)},
		{"page/pages of a filter by offset", walkOffsets(all.find("pager 2"), 3)},
		{"page/pages of several companies by offset", walkOffsets(everything(pageCo, sortCo, twinCo).by("-createdAt"), 6)},
		{"page/the count is that of all pages", func(ctx context.Context, e *env) error {
			for _, page := range []ask{all.page(0, 1), all.page(20, 10), all.page(99, 5), all.after(writePosition("pager 1"))} {
				if got, _, err := e.agree(ctx, page); err != nil || got.Count.Total != pageRows {
					return errors.Join(err, fmt.Errorf("%v: count %d, want %d", page, got.Count.Total, pageRows))
				}
			}
			return nil
		}},
		one("without count", all.page(0, 10).without(true, false)),
		one("without count, deep", all.page(20, 10).without(true, false)),
		one("without count, a keyword", all.find("pager").page(0, 10).without(true, false)),
		one("without items", all.page(0, 10).without(false, true)),
		one("without items, beyond the end", all.page(99, 10).without(false, true)),
		one("without items, a keyword", all.find("pager 2").without(false, true)),
		{"page/the count alone needs no page", func(ctx context.Context, e *env) error {
			a := all.find("pager")
			q, err := a.forEngine()
			if err != nil {
				return err
			}
			got, err := e.engine.Search(ctx, e.scopes.of(a.companies), q.CountOnly())
			if err != nil || got.Count.Total != pageRows || len(got.Page.Rows) != 0 {
				return fmt.Errorf("count %d, %d rows, error %w; want %d, 0 rows", got.Count.Total, len(got.Page.Rows), err, pageRows)
			}
			return nil
		}},
		{"page/the default order is the newest first", func(ctx context.Context, e *env) error {
			a := everything(pageCo, dateCo)
			a.query.Sort = search.DefaultSort()
			_, _, err := e.agree(ctx, a)
			return err
		}},
	}
}

func (a ask) without(count, items bool) ask {
	a.query.WithoutCount, a.query.WithoutItems = count, items
	return a
}
