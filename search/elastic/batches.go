package elastic

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search/paging"
)

// batches are the rows of a point in time in their order. In the order of ids, two
// ranges of ids are read at a time: a shard reads for one search on one thread, and
// the engine would be idle while its answer is sent and read.
type batches struct {
	*view

	plan     plan
	count    int64
	expected int64 // rows that must come; -1: unknown

	left  int64            // rows wanted still
	taken int64            // rows read
	after []jsontext.Value // of the last row
	rows  int              // to ask for next

	bounds    *bounds            // nil: no use
	begunTo   stdjson.RawMessage // ranges up to this id have begun; nil: none
	restBegun bool               // the range after the last bound has begun
	inFlight  []*idRange         // being read, in order
	spare     []*paging.Batch

	keepEvery time.Duration
}

// maxInFlight is how many ranges are read at a time. More would take the threads
// of those who search, and each holds a batch.
const maxInFlight = 2

// idRange is a part of the order that is read on its own: by one request, or by
// several when more rows than expected are in it.
type idRange struct {
	bounded bool
	after   stdjson.RawMessage // its next rows have ids after this one; nil: from the start
	last    string             // and up to and including this one

	reading *paging.Pending // nil: its next rows have not been asked for
	wanted  int             // rows asked for
	tail    answerTail
}

// answerTail is what an answer has beside its rows.
type answerTail struct {
	last jsontext.Value // sort values of the last row
	pit  string
}

var _ paging.Source = (*batches)(nil)

// Read implements paging.Source.
func (b *batches) Read(ctx context.Context, into *paging.Batch) error {
	into.Rows = into.Rows[:0]
	for b.left > 0 && len(into.Rows) == 0 {
		if err := b.ask(ctx); err != nil {
			return err
		}
		if len(b.inFlight) == 0 {
			break
		}
		if err := b.collect(into); err != nil {
			return err
		}
	}
	switch {
	case len(into.Rows) > 0:
		return nil
	case b.expected >= 0 && b.taken != b.expected:
		return errShort
	}
	return io.EOF
}

// ask begins the requests that may run and do not run yet.
func (b *batches) ask(ctx context.Context) error {
	for len(b.inFlight) < maxInFlight {
		next := b.nextRange()
		if next == nil {
			break
		}
		b.inFlight = append(b.inFlight, next)
	}
	for _, s := range b.inFlight {
		if s.reading != nil {
			continue
		}
		s.wanted = int(min(int64(b.rows), b.left))
		body, err := b.body(s)
		if err != nil {
			return err
		}
		s.reading = paging.Start(ctx, b.batch(), func(ctx context.Context, into *paging.Batch) error {
			return b.fetch(ctx, s, body, into)
		})
	}
	return nil
}

// nextRange is the next range to begin; nil: there is none, or none yet.
func (b *batches) nextRange() *idRange {
	if b.bounds != nil {
		if last, ok := b.bounds.advance(b.rows); ok {
			s := &idRange{bounded: true, after: b.begunTo, last: last}
			b.begunTo, _ = jsontext.AppendQuote(nil, last)
			return s
		}
		b.bounds = nil
	}
	// The rest comes after the last row, which must be known; so do rows without an id.
	if b.restBegun || len(b.inFlight) > 0 {
		return nil
	}
	b.restBegun = true
	return &idRange{}
}

// bound has the rows read in ranges from here on.
func (b *batches) bound(by *bounds) {
	b.bounds = by
	if b.after == nil {
		return
	}
	b.begunTo = stdjson.RawMessage(b.after[0])
	if id, err := jsontext.AppendUnquote(nil, b.after[0]); err == nil {
		by.skipTo(string(id), b.plan.terms[0].desc)
	}
}

// body asks for the company by its column, as a page does. Sort values are asked
// for with every row, of which the last one's are used.
func (b *batches) body(s *idRange) ([]byte, error) {
	p := b.plan
	r := request{
		Size: s.wanted, Sort: sortClauses(p.terms), PIT: b.pit, Source: true, Columns: []string{"companyId"},
	}
	if !s.bounded {
		r.SearchAfter = b.after
		return searchBody(p.query, r)
	}
	query, err := narrowed(p.query, between(p.terms[0].desc, s.after, s.last))
	if err != nil {
		return nil, err
	}
	return searchBody(query, r)
}

// batch is one to read into: the caller has one, and every range needs another.
func (b *batches) batch() *paging.Batch {
	if len(b.spare) == 0 {
		return &paging.Batch{}
	}
	last := len(b.spare) - 1
	into := b.spare[last]
	b.spare = b.spare[:last]
	return into
}

// fetch reads what one request brings. It runs beside another one's and beside
// Read, and changes nothing but its batch and the tail of its range.
func (b *batches) fetch(ctx context.Context, s *idRange, body []byte, into *paging.Batch) error {
	limit := b.store.limits.maxBytes
	if s.wanted == 1 {
		limit = maxAnswer
	}
	err := b.read(ctx, s, into, limit, esapi.SearchRequest{Body: bytes.NewReader(body)})
	if errors.Is(err, errStored) {
		err = b.read(ctx, s, into, limit, esapi.SearchRequest{Body: bytes.NewReader(body), SourceExcludes: rewritten()})
	}
	return err
}

func (b *batches) read(ctx context.Context, s *idRange, into *paging.Batch, limit int, call esapi.SearchRequest) (err error) {
	call.AllowPartialSearchResults, call.Instrument = new(false), b.store.client.instrument
	into.Rows = into.Rows[:0]
	if into.Buffer, err = b.store.client.read(ctx, call, into.Buffer, limit); err != nil {
		return err
	}
	s.tail, err = b.take(into)
	return err
}

// collect waits for the rows that come next, of which there may be none within
// bounds.
func (b *batches) collect(into *paging.Batch) error {
	s := b.inFlight[0]
	batch, err := s.reading.Wait()
	s.reading = nil
	if errors.Is(err, errTooLarge) && s.wanted > 1 {
		const fewer = 8
		b.rows = max(1, s.wanted/fewer)
		return nil // with the batch, whose buffer is as large
	}
	if err != nil {
		return err
	}
	*into, *batch = *batch, *into
	b.spare = append(b.spare, batch)
	b.pit.renew(s.tail.pit)
	came := len(into.Rows)
	if err := b.advance(s, came, len(into.Buffer)); err != nil {
		return err
	}
	if came < s.wanted {
		b.inFlight = b.inFlight[1:]
	}
	if int64(came) > b.left {
		into.Rows = into.Rows[:b.left]
	}
	b.taken += int64(len(into.Rows))
	b.left -= int64(len(into.Rows))
	return nil
}

// advance goes on after the rows that came, and adjusts to their size how many are
// asked for next.
func (b *batches) advance(s *idRange, came, size int) error {
	if came == 0 {
		return nil
	}
	var ok bool
	if b.after, ok = elements(s.tail.last); !ok || len(b.after) < len(b.plan.terms) {
		return errAnswer
	}
	s.after = stdjson.RawMessage(b.after[0])
	const growth = 4
	fits := b.store.limits.batchBytes / max(1, size/came)
	b.rows = max(1, min(fits, growth*max(b.rows, came), b.store.limits.batchRows))
	return nil
}

// take makes rows of the answer in the batch's buffer, in which they stay.
func (b *batches) take(into *paging.Batch) (answerTail, error) {
	var t answerTail
	head, err := readAnswer(into.Buffer, func(h openedHit) error {
		t.last = h.sort
		row, err := h.row(b.plan.fields)
		into.Rows = append(into.Rows, row)
		return err
	})
	if err != nil {
		return answerTail{}, err
	}
	t.pit = head.PIT
	return t, head.check(false)
}

// search_after on the id makes Elasticsearch compare the id of every matching
// session with the position, for every batch: a snapshot of a million rows takes
// three times as long as in any order, one of five million ten times. A range on the
// id for every batch avoids that. Good ranges have as many rows as a batch takes;
// their bounds come from a sample of the ids. Bad bounds cost requests, never rows.

// bounds are ids of the sessions that match, in the order, about evenly spread.
type bounds struct {
	ids     []string
	spacing float64 // rows between two, about
	next    int
}

// sampled is the body of a search for a sample: those whose score is best, which
// is a hash of their number in the shard.
func sampled(p plan) clause {
	return clause{"function_score": clause{
		"query":        p.query,
		"random_score": clause{"seed": 1, "field": "_seq_no"},
		"boost_mode":   "replace",
	}}
}

func (v *view) bounds(ctx context.Context, p plan, count int64) (*bounds, error) {
	query, err := stdjson.Marshal(sampled(p))
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: query: %w", err)
	}
	const rowsEach = 100 // a batch spans many, so that chance evens out
	size := min(v.store.limits.window, max(1, int(count/rowsEach)))
	a, err := v.ask(ctx, query, request{Size: size, Columns: []string{"id"}, Stored: "_none_"},
		paths("took timed_out pit_id _shards.total _shards.failed hits.hits.fields.id")...)
	if err != nil {
		return nil, err
	}
	found := &bounds{}
	for _, h := range a.Hits.Hits {
		found.ids = append(found.ids, h.Fields.ID...)
	}
	slices.Sort(found.ids)
	if p.terms[0].desc {
		slices.Reverse(found.ids)
	}
	found.spacing = float64(count) / float64(max(1, len(found.ids)))
	return found, nil
}

// advance returns the bound about that many rows after the last one; false when there
// is none left: the rest of the order has no bound.
func (b *bounds) advance(rows int) (string, bool) {
	const slack = 0.8 // a batch that is full takes another request to the same bound
	b.next += max(1, int(slack*float64(rows)/b.spacing))
	if b.next > len(b.ids) {
		return "", false
	}
	return b.ids[b.next-1], true
}

// skipTo leaves out the bounds before the first row.
func (b *bounds) skipTo(id string, desc bool) {
	for b.next < len(b.ids) && (b.ids[b.next] == id || b.ids[b.next] < id != desc) {
		b.next++
	}
}

// between is the condition on ids after one of them, up to and including a bound.
func between(desc bool, after stdjson.RawMessage, last string) clause {
	low, high := "gt", "lte"
	if desc {
		low, high = "lt", "gte"
	}
	limits := clause{high: last}
	if after != nil {
		limits[low] = after
	}
	return within("id", limits)
}
