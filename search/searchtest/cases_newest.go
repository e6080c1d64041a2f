package searchtest

import (
	"context"
	"fmt"

	"github.com/scopegate/scopegate/search"
)

// newestFixture has clients with one session and with many, in two companies, some of
// whose sessions started at the same time or never.
func newestFixture() []spec {
	specs := []spec{
		{"nw-01", newestCo, values{"clientId": "c-1", "startedAt": at(10), "status": "OPEN", "name": "B"}},
		{"nw-02", newestCo, values{"clientId": "c-1", "startedAt": at(30), "status": "CLOSED", "name": "A"}},
		{"nw-03", newestCo, values{"clientId": "c-1", "startedAt": at(20), "status": "OPEN", "name": "C"}},
		{"nw-04", newestCo + 1, values{"clientId": "c-1", "startedAt": at(5), "status": "OPEN", "name": "D"}},
		{"nw-05", newestCo, values{"clientId": "C-1", "startedAt": at(1), "status": "OPEN"}},
		{"nw-06", newestCo, values{"clientId": "tied", "startedAt": at(7), "status": "OPEN", "rating": 1}},
		{"nw-08", newestCo, values{"clientId": "tied", "startedAt": at(7), "status": "CLOSED", "rating": 5}},
		{"nw-07", newestCo, values{"clientId": "tied", "startedAt": at(7), "status": "OPEN", "rating": 3}},
		{"nw-09", newestCo, values{"clientId": "never", "status": "OPEN"}},
		{"nw-10", newestCo, values{"clientId": "never", "status": "CLOSED"}},
		{"nw-11", newestCo, values{"clientId": "once", "startedAt": at(-9), "status": "OPEN"}},
		{"nw-12", newestCo, values{"clientId": "once", "status": "OPEN", "name": "Z"}},
		{"nw-13", newestCo, values{"status": "OPEN", "startedAt": at(10)}},
		{"nw-14", newestCo, values{"status": "OPEN", "startedAt": at(10)}},
		{"nw-15", newestCo, values{"clientId": "", "status": "OPEN"}},
		{"nw-16", newestCo, values{"clientId": "", "status": "OPEN", "startedAt": at(30)}},
		// Another client started when the newest session of c-1 did.
		{"nw-17", newestCo, values{"clientId": "c-2", "startedAt": at(30), "status": "OPEN"}},
		{"nw-18", newestCo, values{"clientId": "c-2", "startedAt": at(40), "status": "OPEN"}},
		{"nw-19", newestCo, values{"clientId": "old", "startedAt": "1969-07-20T20:17:40.001Z"}},
		{"nw-20", newestCo, values{"clientId": "old", "startedAt": "0001-01-01T00:00:00.000Z"}},
		{"nw-21", newestCo, values{"clientId": "late", "startedAt": "9999-12-31T23:59:59.999Z"}},
	}
	for i := range 120 {
		specs = append(specs, spec{fmt.Sprintf("nw-many-%03d", i*7%120), newestCo + 2, values{
			"clientId": fmt.Sprintf("many-%02d", i%40), "startedAt": at(i / 3 % 11), "name": fmt.Sprintf("N%d", i%13), "rating": i % 4,
		}})
	}
	return specs
}

func newestChecks() []check {
	var all []check
	of := func(name string, a ask, run func(ask) func(context.Context, *env) error) {
		a.query.NewestOfClient = true
		all = append(all, check{"newest/" + name, run(a)})
	}
	want := func(ids string) func(ask) func(context.Context, *env) error {
		return func(a ask) func(context.Context, *env) error {
			return func(ctx context.Context, e *env) error { return e.expect(ctx, a, ids) }
		}
	}
	a, many := everything(newestCo), everything(newestCo+2)
	of("one of each client", a, want("nw-02 nw-05 nw-08 nw-10 nw-11 nw-13 nw-14 nw-15 nw-16 nw-18 nw-19 nw-21"))
	of("a client of another company is another", everything(newestCo, newestCo+1).find("c-1"), want("nw-02 nw-04 nw-05"))
	of("of those that match", a.where(search.Filter{Status: []string{"OPEN"}}), want("nw-03 nw-05 nw-07 nw-09 nw-11 nw-13 nw-14 nw-15 nw-16 nw-18"))
	of("of a keyword", a.find("c-2"), want("nw-18"))
	of("nothing", a.find("nobody"), want(""))
	of("a company without sessions", everything(lonelyCo), want(""))
	of("the empty scope", everything(), want(""))
	of("of one session", a.where(search.Filter{SessionID: "nw-01"}), want("nw-01"))
	for _, order := range [][]string{{"id"}, {"-id"}, {"-startedAt"}, {"startedAt"}, {"name"}, {"-name"}, {"-rating", "name"}, {"clientId"}} {
		name := fmt.Sprint(order)
		of("by offset, by "+name, many.by(order...), func(a ask) func(context.Context, *env) error { return walkOffsets(a, 7) })
		of("page by page, by "+name, many.by(order...).page(0, 9), walk)
		of("page by page, all companies, by "+name, everything(newestCo, newestCo+1, newestCo+2).by(order...).page(0, 4), walk)
		of("as a snapshot, by "+name, many.by(order...).page(0, 0), func(a ask) func(context.Context, *env) error {
			return func(ctx context.Context, e *env) error { return e.wholly(ctx, a) }
		})
	}
	agrees := func(a ask) func(context.Context, *env) error {
		return func(ctx context.Context, e *env) error {
			_, _, err := e.agree(ctx, a)
			return err
		}
	}
	of("only the count", many.without(false, true), agrees)
	of("only the page", many.without(true, false).page(3, 5), agrees)
	of("a wide scope", everything(wide()...), agrees)
	of("twins", everything(twins()...), agrees)
	return all
}
