package cache

import (
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// answer is one search, or one summary, on its way to its result.
type answer struct {
	scope       tenancy.Scope
	data        *dataset // that its keys are of
	query       search.Query
	now         time.Time // before anything was looked for
	bound       bound
	count, page *lookup // nil: not asked for
	summary     *lookup // then there is neither of them
}

// lookups are the parts; nil: not asked for.
func (a *answer) lookups() [3]*lookup { return [3]*lookup{a.count, a.page, a.summary} }

// lookup is one part of an answer and what was found for it.
type lookup struct {
	part  part
	key   key
	query search.Query // of a summary: its filter alone
	load  *load        // what it waits for; nil: nothing
	mine  bool         // it has made that load
	// renewal: its load goes on when nobody waits for it.
	renewal bool
	found   found
	spare   found // what to fall back on when the engine fails

	summary search.SummaryQuery // of a summary
}

// found is an entry and how it was come by.
type found struct {
	entry  *entry // nil: not found yet
	tier   string // "": the engine
	joined *load  // the load of another caller that this one waited for
	stored bool
	stale  bool // it is not fresh, and served all the same
	outage bool // since the engine failed
}

func newAnswer(data *dataset, scope tenancy.Scope, q search.Query, now time.Time, b bound) *answer {
	a := &answer{scope: scope, data: data, query: q, now: now, bound: b}
	if !q.WithoutCount {
		a.count = newLookup(data.keys, partCount, scope, q.CountOnly())
	}
	if !q.WithoutItems {
		a.page = newLookup(data.keys, partPage, scope, q.PageOnly())
	}
	return a
}

func newLookup(keys keyspace, p part, scope tenancy.Scope, q search.Query) *lookup {
	return &lookup{part: p, key: keys.key(p, scope, q), query: q}
}

// missing lists the parts that are asked for and not found yet.
func (a *answer) missing() []*lookup {
	var list []*lookup
	for _, l := range a.lookups() {
		if l != nil && l.found.entry == nil {
			list = append(list, l)
		}
	}
	return list
}

// countFromPage takes the total that the page proves, where there is no count
// or one that knows less: it is free, exact and agrees with the rows beside it.
// It reports whether it did.
func (a *answer) countFromPage() bool {
	if a.count == nil || a.page == nil || a.page.found.entry == nil {
		return false
	}
	page, count := a.page.found.entry, a.count.found.entry
	total, proven := provenTotal(a.query, page.page)
	if !proven {
		return false
	}
	if count != nil && (count.total == total || count.loadedAt.After(page.loadedAt)) {
		return false
	}
	a.count.found = a.page.found
	a.count.found.entry = &entry{key: a.count.key, loadedAt: page.loadedAt, took: page.took,
		position: page.position, settled: page.settled, total: total}
	return true
}

// provenTotal is the number of matching sessions if the page shows it: its end
// is the end of all, and how many there are before it is known. A page that
// begins behind a position does not know; an empty page at an offset only knows
// a bound.
func provenTotal(q search.Query, page search.Page) (int64, bool) {
	if page.More || q.After != nil || (len(page.Rows) == 0 && q.Offset > 0) {
		return 0, false
	}
	return int64(q.Offset) + int64(len(page.Rows)), true
}

// result is the answer as its caller gets it.
func (a *answer) result(now time.Time, life lifetimes) search.Result {
	var r search.Result
	if a.count != nil {
		r.Count = search.Count{
			Total:  a.count.found.entry.total,
			Served: a.count.found.served(now, life),
		}
	}
	if a.page != nil {
		e := a.page.found.entry
		r.Page = search.Page{
			Rows:   e.rows(),
			More:   e.page.More,
			Served: a.page.found.served(now, life),
		}
	}
	return r
}

func (f found) served(now time.Time, life lifetimes) search.Served {
	s := search.Served{
		Tier:     f.tier,
		Shared:   f.joined != nil,
		Stored:   f.stored,
		LoadedAt: f.entry.loadedAt,
		TTL:      life.freshness(f.entry) - now.Sub(f.entry.loadedAt),
		Outage:   f.outage,
	}
	if !s.Hit() {
		s.TTL = max(0, s.TTL)
		s.Took = f.entry.took
	}
	return s
}
