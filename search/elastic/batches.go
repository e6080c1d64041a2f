package elastic

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"io"
	"math"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search/scan"
)

// batches are the rows of a point in time in their order.
type batches struct {
	store *Store
	plan  plan
	at    *pit
	count int64
	whole bool // all that match is to be read, and must come

	left  int64            // rows wanted still
	taken int64            // rows read
	ended bool             // the order has
	after []jsontext.Value // what the next rows stand behind
	rows  int              // to ask for next

	bounds  *bounds // nil: no use
	bounded bool    // the rows up to a bound are being read
	upTo    string  // that bound
}

var _ scan.Source = (*batches)(nil)

// Read implements scan.Source.
func (b *batches) Read(ctx context.Context, into *scan.Batch) error {
	into.Rows = into.Rows[:0]
	for !b.ended && b.left > 0 && len(into.Rows) == 0 {
		if err := b.fetch(ctx, into); err != nil {
			return err
		}
	}
	switch {
	case len(into.Rows) > 0:
		return nil
	case b.whole && b.taken != b.count:
		return errAnswer
	}
	return io.EOF
}

// fetch reads what one request brings, which may be nothing within a bound.
func (b *batches) fetch(ctx context.Context, into *scan.Batch) error {
	wanted := int(min(int64(b.rows), b.left))
	body, err := b.body(wanted)
	if err != nil {
		return err
	}
	most := b.store.limits.mostBytes
	if wanted == 1 {
		most = math.MaxInt
	}
	call := esapi.SearchRequest{
		Body: bytes.NewReader(body), AllowPartialSearchResults: no(), Instrument: b.store.client.instrument,
	}
	into.Buffer, err = b.store.client.read(ctx, call, into.Buffer, most)
	if errors.Is(err, errTooLarge) {
		const fewer = 8
		into.Buffer = nil
		b.rows = max(1, wanted/fewer)
		return nil
	}
	if err != nil {
		return err
	}
	last, err := b.take(into)
	if err != nil {
		return err
	}
	return b.advance(len(into.Rows), wanted, len(into.Buffer), last)
}

// body asks for the company by its column, as a page does. Sort values are asked
// for with every row, of which the last one's are used.
func (b *batches) body(wanted int) ([]byte, error) {
	p := b.plan
	r := request{
		Size: wanted, Sort: sortClauses(p.terms), SearchAfter: b.after, PIT: b.at,
		Source: true, Columns: []string{"companyId"},
	}
	query := p.query
	if b.bounds != nil && !b.bounded {
		b.nextBound(wanted)
	}
	if b.bounded {
		var behind stdjson.RawMessage
		if b.after != nil {
			behind = stdjson.RawMessage(b.after[0])
		}
		var err error
		if query, err = narrowed(query, between(p.terms[0].desc, behind, b.upTo)); err != nil {
			return nil, err
		}
		r.SearchAfter = nil
	}
	return searchBody(query, r)
}

func (b *batches) nextBound(rows int) {
	if b.after != nil {
		if id, err := jsontext.AppendUnquote(nil, b.after[0]); err == nil {
			b.bounds.skipTo(string(id), b.plan.terms[0].desc)
		}
	}
	if b.upTo, b.bounded = b.bounds.behind(rows); !b.bounded {
		b.bounds = nil // the rest, also what has no id, comes unbounded
	}
}

// advance goes on behind the rows that came, and asks for as many more or fewer
// as their size says.
func (b *batches) advance(came, wanted, size int, last jsontext.Value) error {
	if came > 0 {
		b.after = (&cursor{rest: last}).values()
		if len(b.after) < len(b.plan.terms) {
			return errAnswer
		}
		const growth = 4
		fits := b.store.limits.batchBytes / max(1, size/came)
		b.rows = max(1, min(fits, growth*max(b.rows, came), b.store.limits.batchRows))
	}
	b.taken += int64(came)
	b.left -= int64(came)
	switch {
	case came == wanted:
	case b.bounded:
		b.bounded = false
	default:
		b.ended = true
	}
	return nil
}

// take makes rows of the answer in the batch's buffer, in which they stay, and
// returns the last one's sort values.
func (b *batches) take(into *scan.Batch) (last jsontext.Value, err error) {
	head, err := readAnswer(into.Buffer, func(h openedHit) error {
		last = h.sort
		row, err := h.row(b.plan.fields)
		into.Rows = append(into.Rows, row)
		return err
	})
	if err != nil {
		return nil, err
	}
	if head.PIT != "" {
		b.at = &pit{ID: head.PIT, KeepAlive: b.at.KeepAlive}
	}
	return last, head.check(false)
}
