package cache

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// count is an exact number of matching sessions as an entry holds it.
type count int64

// countKind is the kind of counts.
type countKind struct{}

func (countKind) letter() byte   { return 'c' }
func (countKind) String() string { return "count" }
func (countKind) attributes() attributeNames {
	return attributeNames{"scopegate.cache.count", "scopegate.cache.count.tier", "scopegate.cache.count.age_ms",
		"scopegate.cache.count.shared", "scopegate.cache.count.stored"}
}
func (countKind) decode(m meta, r *reader) item {
	return &entry[count]{meta: m, value: count(r.number(math.MaxInt64))}
}

// countPart asks for the count of a query.
type countPart search.Query

func (*countPart) kind() kind               { return countKind{} }
func (p *countPart) canonical() []byte      { return search.Query(*p).CountKey() }
func (p *countPart) filter() *search.Filter { return &p.Filter }

func (p *countPart) load(ctx context.Context, c *Cache, scope tenancy.Scope, l *lookup) (item, error) {
	result, err := c.next.Search(ctx, scope, search.Query(*p).CountOnly())
	if err != nil {
		return nil, err
	}
	return newEntry(l, count(result.Count.Total), result.Count.Provenance), nil
}

func (count) kind() kind    { return countKind{} }
func (n count) empty() bool { return n == 0 }
func (count) weight() int64 { return 0 } // in entryOverhead

func (n count) appendTo(out []byte) []byte { return binary.AppendUvarint(out, uint64(n)) }

// correctCount takes the total that the page proves, where there is no count or
// an older one that differs: it is free, exact and agrees with the rows beside
// it. It is stored, for later pages too.
func (c *Cache) correctCount(ctx context.Context, r *request) {
	if r.count == nil || r.page == nil || r.page.found.entry == nil {
		return
	}
	total, proven := provenTotal(r.query, valueOf[page](r.page))
	if !proven {
		return
	}
	proof := r.page.found.entry.about()
	if e := r.count.found.entry; e != nil && (valueOf[count](r.count) == total || e.about().loadedAt.After(proof.loadedAt)) {
		return
	}
	e := &entry[count]{meta: *proof, value: total}
	e.key = r.count.key
	r.count.found = r.page.found
	r.count.found.entry = e
	r.count.found.stored = c.store(ctx, r, e) && r.count.found.tier == ""
}

// provenTotal is the number of matching sessions if the page shows it: no row
// follows the page, and the number of rows before it is known. That number is not
// known after a position; an empty page at an offset proves only a bound.
func provenTotal(q search.Query, p page) (count, bool) {
	if p.more || q.After != nil || (len(p.rows) == 0 && q.Offset > 0) {
		return 0, false
	}
	return count(q.Offset) + count(len(p.rows)), true
}
