package cache

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"unsafe"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// page is a page of rows as an entry holds it.
type page struct {
	rows []search.Row
	more bool
}

// pageKind is the kind of pages.
type pageKind struct{}

func (pageKind) letter() byte   { return 'p' }
func (pageKind) String() string { return "page" }
func (pageKind) attributes() attributeNames {
	return attributeNames{"scopegate.cache.page", "scopegate.cache.page.tier", "scopegate.cache.page.age_ms",
		"scopegate.cache.page.shared", "scopegate.cache.page.stored"}
}
func (pageKind) decode(m meta, r *reader) item {
	return &entry[page]{meta: m, value: r.page()}
}

// pagePart asks for the page of a query.
type pagePart search.Query

func (*pagePart) kind() kind               { return pageKind{} }
func (p *pagePart) canonical() []byte      { return search.Query(*p).PageKey() }
func (p *pagePart) filter() *search.Filter { return &p.Filter }

func (p *pagePart) load(ctx context.Context, c *Cache, scope tenancy.Scope, l *lookup) (item, error) {
	result, err := c.next.Search(ctx, scope, search.Query(*p).PageOnly())
	if err != nil {
		return nil, err
	}
	e := newEntry(l, page{rows: result.Page.Rows, more: result.Page.More}, result.Page.Provenance)
	if c.memory.fits(e) {
		e.value.rows = compact(e.value.rows)
	}
	return e, nil
}

const (
	rowOverhead   = int64(unsafe.Sizeof(search.Row{}))
	valueOverhead = int64(unsafe.Sizeof(json.RawMessage{}))
)

func (page) kind() kind    { return pageKind{} }
func (p page) empty() bool { return len(p.rows) == 0 }

func (p page) weight() int64 {
	weight := int64(len(p.rows)) * rowOverhead
	for _, row := range p.rows {
		weight += int64(len(row.JSON)) + int64(len(row.Position.Values))*valueOverhead
		for _, value := range row.Position.Values {
			weight += int64(len(value))
		}
	}
	return weight
}

// appendTo writes whether more rows follow, the number of rows, and each row:
// its company, its JSON and its position.
func (p page) appendTo(out []byte) []byte {
	more := byte(0)
	if p.more {
		more = 1
	}
	out = append(out, more)
	out = binary.AppendUvarint(out, uint64(len(p.rows)))
	for _, row := range p.rows {
		out = binary.AppendUvarint(out, uint64(row.CompanyID))
		out = appendRaw(out, row.JSON)
		out = appendPosition(out, row.Position)
	}
	return out
}

func appendPosition(out []byte, p search.Position) []byte {
	if p.Values == nil {
		return append(out, 0)
	}
	out = binary.AppendUvarint(out, uint64(len(p.Values))+1)
	for _, value := range p.Values {
		out = appendRaw(out, value)
	}
	return out
}

// minRowBytes is the shortest encoding of a row: three numbers of a byte each.
const minRowBytes = 3

// page allocates for no more rows than the bytes at hand can hold.
func (r *reader) page() page {
	p := page{more: r.number(1) == 1}
	n := r.number(uint64(len(r.rest) / minRowBytes))
	if n == 0 {
		return p
	}
	p.rows = make([]search.Row, n)
	for i := range p.rows {
		p.rows[i] = search.Row{
			CompanyID: tenancy.CompanyID(r.number(uint64(tenancy.MaxCompanyID))),
			JSON:      r.raw(),
			Position:  r.position(),
		}
	}
	return p
}

func (r *reader) position() search.Position {
	n := r.number(uint64(len(r.rest)) + 1)
	if n == 0 {
		return search.Position{}
	}
	values := make([]json.RawMessage, n-1)
	for i := range values {
		values[i] = r.raw()
	}
	return search.Position{Values: values}
}

// compact copies rows into memory of their own: an engine's row may be a small
// piece of a large buffer, which would stay in memory with it and belie the weight.
func compact(rows []search.Row) []search.Row {
	size := 0
	for _, row := range rows {
		size += len(row.JSON)
		for _, value := range row.Position.Values {
			size += len(value)
		}
	}
	buffer := make([]byte, 0, size)
	clone := func(raw json.RawMessage) json.RawMessage {
		if raw == nil {
			return nil
		}
		start := len(buffer)
		buffer = append(buffer, raw...)
		return buffer[start:len(buffer):len(buffer)] // a reader's append must not overwrite what follows
	}
	compacted := make([]search.Row, len(rows))
	for i, row := range rows {
		compacted[i] = search.Row{CompanyID: row.CompanyID, JSON: clone(row.JSON)}
		if row.Position.Values == nil {
			continue
		}
		values := make([]json.RawMessage, len(row.Position.Values))
		for j, value := range row.Position.Values {
			values[j] = clone(value)
		}
		compacted[i].Position.Values = values
	}
	return compacted
}

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
