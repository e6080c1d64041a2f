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

// batches reads the rows of a point in time in their order. In the order of ids,
// two ranges of ids are read at a time: a shard uses one thread per search, and the
// engine would be idle while its answer is sent and read.
type batches struct {
	*view

	plan     plan
	count    int64
	expected int64 // rows that must come; -1: unknown

	left  int64            // rows that are still wanted
	taken int64            // rows read
	after []jsontext.Value // of the last row
	rows  int              // rows of the next request

	bounds    *bounds            // nil: not used
	begunTo   stdjson.RawMessage // all ranges up to this id have begun; nil: none
	restBegun bool               // the range after the last bound has begun
	inFlight  []*idRange         // ranges that are being read, in order
	spare     []*paging.Batch

	keepEvery time.Duration
}

// maxInFlight is the number of ranges that are read at a time. More would take
// threads away from searches, and each range holds a batch.
const maxInFlight = 2

// idRange is a part of the order that is read on its own: by one request, or by
// several when it has more rows than expected.
type idRange struct {
	bounded bool
	after   stdjson.RawMessage // exclusive lower end of the next rows; nil: the start
	last    string             // inclusive upper end

	reading *paging.Pending // nil: no request is running
	wanted  int             // rows requested
	tail    answerTail
}

// answerTail is the part of an answer that is not rows.
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

// ask starts the requests that may run and are not running yet.
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

// nextRange returns the next range to begin, or nil when there is none, or none
// yet.
func (b *batches) nextRange() *idRange {
	if b.bounds != nil {
		if last, ok := b.bounds.advance(b.rows); ok {
			s := &idRange{bounded: true, after: b.begunTo, last: last}
			b.begunTo, _ = jsontext.AppendQuote(nil, last)
			return s
		}
		b.bounds = nil
	}
	// The rest of the order, which includes rows without an id, starts after the
	// last row. That row must be known.
	if b.restBegun || len(b.inFlight) > 0 {
		return nil
	}
	b.restBegun = true
	return &idRange{}
}

// bound makes the remaining rows be read in ranges.
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

// body reads the company from its column, as a page does. Sort values are requested
// for every row, but only those of the last row are used.
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

// batch returns a batch to read into. The caller's batch serves one range; every
// other range needs one more.
func (b *batches) batch() *paging.Batch {
	if len(b.spare) == 0 {
		return &paging.Batch{}
	}
	last := len(b.spare) - 1
	into := b.spare[last]
	b.spare = b.spare[:last]
	return into
}

// fetch reads the answer of one request. It runs concurrently with another fetch
// and with Read, and modifies only its batch and the tail of its range.
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

// collect waits for the next rows in order. A range may turn out to have no rows.
func (b *batches) collect(into *paging.Batch) error {
	s := b.inFlight[0]
	batch, err := s.reading.Wait()
	s.reading = nil
	if errors.Is(err, errTooLarge) && s.wanted > 1 {
		const fewer = 8
		b.rows = max(1, s.wanted/fewer)
		return nil // renewUntil the batch: its buffer is large enough for the next answer
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

// advance continues after the received rows, and adapts the number of rows of the
// next request to their size.
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

// take converts the answer in the batch's buffer into rows, which refer to that
// buffer.
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

// bounds are ids of matching sessions, in the order and about evenly spaced.
type bounds struct {
	ids     []string
	spacing float64 // number of rows between two ids, approximately
	next    int
}

// sampled returns the body of a search for a sample of the ids: those with the best
// score, which is a hash of the document's number in the shard.
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
	const rowsEach = 100 // a batch spans many, so that random gaps even out
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

// advance returns the bound about the given number of rows after the last one. ok
// is false when there is none left: the rest of the order has no bound.
func (b *bounds) advance(rows int) (string, bool) {
	const slack = 0.8 // a full batch would need another request up to the same bound
	b.next += max(1, int(slack*float64(rows)/b.spacing))
	if b.next > len(b.ids) {
		return "", false
	}
	return b.ids[b.next-1], true
}

// skipTo skips the bounds before the first row.
func (b *bounds) skipTo(id string, desc bool) {
	for b.next < len(b.ids) && (b.ids[b.next] == id || b.ids[b.next] < id != desc) {
		b.next++
	}
}

// between is the condition that an id is after one id, and up to and including a
// bound.
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
