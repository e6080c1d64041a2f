package cache

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// Why a stored value is refused.
var (
	errVersion = errors.New("the value is of another version")
	errDamaged = errors.New("the value is damaged")
	errForeign = errors.New("the value was stored for another key")
)

// minRowBytes is the shortest a row can be: three numbers of a byte each.
const minRowBytes = 3

// appendEntry writes an entry the way it travels between gateways: the digest
// of its full key, its part, when it was loaded (nanoseconds since 1970), the
// position of the log (epoch and sequence), then the total, or whether more
// follows and the rows, or the summary as JSON. Numbers are varints, bytes
// come behind their length plus one, and 0 stands for none at all.
//
// How long the search took is left out: it is told of misses only.
func appendEntry(out []byte, p part, e *entry) []byte {
	out = append(out, e.key[:]...)
	out = append(out, byte(p))
	out = binary.BigEndian.AppendUint64(out, uint64(e.loadedAt.UnixNano()))
	out = append(binary.AppendUvarint(out, uint64(len(e.position.Epoch))), e.position.Epoch...)
	out = binary.AppendUvarint(out, e.position.Sequence)
	switch p {
	case partCount:
		return binary.AppendUvarint(out, uint64(e.total))
	case partSummary:
		summary, _ := json.Marshal(e.summary) // numbers and texts only
		return appendRaw(out, summary)
	}
	more := byte(0)
	if e.page.More {
		more = 1
	}
	out = append(out, more)
	out = binary.AppendUvarint(out, uint64(len(e.page.Rows)))
	for _, row := range e.page.Rows {
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

func appendRaw(out []byte, raw json.RawMessage) []byte {
	if raw == nil {
		return append(out, 0)
	}
	return append(binary.AppendUvarint(out, uint64(len(raw))+1), raw...)
}

// readEntry is the reverse of appendEntry. The entry's rows are pieces of body,
// which must not be written to afterwards.
//
// SECURITY: a value that was stored for another key is refused, whoever put it
// where it was found.
func readEntry(body []byte, k key, p part) (*entry, error) {
	r := &reader{rest: body}
	if stored := r.take(len(k)); !r.failed && key(stored) != k {
		return nil, errForeign
	}
	if stored := r.octet(); !r.failed && part(stored) != p {
		return nil, errForeign
	}
	e := &entry{key: k}
	e.loadedAt = time.Unix(0, r.int64())
	e.position.Epoch = string(r.take(int(r.number(uint64(len(r.rest))))))
	e.position.Sequence = r.number(math.MaxUint64)
	switch p {
	case partCount:
		e.total = int64(r.number(math.MaxInt64))
	case partSummary:
		e.summary = r.summary()
	default:
		e.page = r.page()
	}
	if r.failed || len(r.rest) > 0 {
		return nil, fmt.Errorf("%w: it is not an entry from end to end", errDamaged)
	}
	return e, nil
}

// reader takes an entry apart. Once it has failed all it returns is zero.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) fail() { r.rest, r.failed = nil, true }

// take is the next n bytes, with no room behind them to append to.
func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.fail()
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) octet() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// number is a varint of at most limit.
func (r *reader) number(limit uint64) uint64 {
	n, length := binary.Uvarint(r.rest)
	if length <= 0 || n > limit {
		r.fail()
		return 0
	}
	r.rest = r.rest[length:]
	return n
}

func (r *reader) raw() json.RawMessage {
	n := r.number(uint64(len(r.rest)) + 1)
	if n == 0 {
		return nil
	}
	return r.take(int(n - 1))
}

// summary is never nil in an entry.
func (r *reader) summary() *search.Summary {
	var s *search.Summary
	if json.Unmarshal(r.raw(), &s) != nil || s == nil {
		r.fail()
		return nil
	}
	return s
}

// page allocates for no more rows than the bytes at hand can hold.
func (r *reader) page() search.Page {
	page := search.Page{More: r.number(1) == 1}
	n := r.number(uint64(len(r.rest) / minRowBytes))
	if n == 0 {
		return page
	}
	page.Rows = make([]search.Row, n)
	for i := range page.Rows {
		page.Rows[i] = search.Row{
			CompanyID: tenancy.CompanyID(r.number(uint64(tenancy.MaxCompanyID))),
			JSON:      r.raw(),
			Position:  r.position(),
		}
	}
	return page
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
