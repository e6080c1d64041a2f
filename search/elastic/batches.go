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

// batches are the rows of a point in time in their order. Where ids bound them,
// two stretches are read at a time: a shard reads for one search on one thread,
// which would leave the engine idle while its answer is sent and taken in.
type batches struct {
	*view

	plan  plan
	count int64
	due   int64 // rows that must come; -1: not known

	left  int64            // rows wanted still
	taken int64            // rows read
	after []jsontext.Value // of the last row
	rows  int              // to ask for next

	bounds *bounds            // nil: no use
	begun  stdjson.RawMessage // the id behind which no stretch has begun; nil: at the start
	last   bool               // the last stretch has begun
	under  []*stretch         // under way, in order
	spare  []*paging.Batch

	keepEvery time.Duration
}

// atOnce is how many stretches are under way at most. More would take the threads
// of those who search, and each holds a batch.
const atOnce = 2

// stretch is a part of the order that is read on its own, by one request or, when
// more rows than expected are in it, by several.
type stretch struct {
	bounded bool
	behind  stdjson.RawMessage // its next rows have ids behind this one; nil: from the start
	upTo    string             // and up to this one

	reading *paging.Pending // nil: its next rows have not been asked for
	wanted  int             // rows asked for
	told    told
}

// told is what an answer tells beside its rows.
type told struct {
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
		if len(b.under) == 0 {
			break
		}
		if err := b.collect(into); err != nil {
			return err
		}
	}
	switch {
	case len(into.Rows) > 0:
		return nil
	case b.due >= 0 && b.taken != b.due:
		return errShort
	}
	return io.EOF
}

// ask begins what is not under way and may be.
func (b *batches) ask(ctx context.Context) error {
	for len(b.under) < atOnce {
		next := b.stretch()
		if next == nil {
			break
		}
		b.under = append(b.under, next)
	}
	for _, s := range b.under {
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

// stretch is the next one to begin; nil: none, or none yet.
func (b *batches) stretch() *stretch {
	if b.bounds != nil {
		if upTo, ok := b.bounds.behind(b.rows); ok {
			s := &stretch{bounded: true, behind: b.begun, upTo: upTo}
			b.begun, _ = jsontext.AppendQuote(nil, upTo)
			return s
		}
		b.bounds = nil
	}
	// The rest, also what has no id, stands behind the last row, which must be known.
	if b.last || len(b.under) > 0 {
		return nil
	}
	b.last = true
	return &stretch{}
}

// bound has the rows read in stretches from here on.
func (b *batches) bound(by *bounds) {
	b.bounds = by
	if b.after == nil {
		return
	}
	b.begun = stdjson.RawMessage(b.after[0])
	if id, err := jsontext.AppendUnquote(nil, b.after[0]); err == nil {
		by.skipTo(string(id), b.plan.terms[0].desc)
	}
}

// body asks for the company by its column, as a page does. Sort values are asked
// for with every row, of which the last one's are used.
func (b *batches) body(s *stretch) ([]byte, error) {
	p := b.plan
	r := request{
		Size: s.wanted, Sort: sortClauses(p.terms), PIT: b.pit, Source: true, Columns: []string{"companyId"},
	}
	if !s.bounded {
		r.SearchAfter = b.after
		return searchBody(p.query, r)
	}
	query, err := narrowed(p.query, between(p.terms[0].desc, s.behind, s.upTo))
	if err != nil {
		return nil, err
	}
	return searchBody(query, r)
}

// batch is one to read into: the caller has one, and every stretch needs another.
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
// Read, and changes nothing but what its stretch was told and its batch.
func (b *batches) fetch(ctx context.Context, s *stretch, body []byte, into *paging.Batch) error {
	most := b.store.limits.mostBytes
	if s.wanted == 1 {
		most = mostAnswer
	}
	err := b.read(ctx, s, into, most, esapi.SearchRequest{Body: bytes.NewReader(body)})
	if errors.Is(err, errStored) {
		err = b.read(ctx, s, into, most, esapi.SearchRequest{Body: bytes.NewReader(body), SourceExcludes: rewritten()})
	}
	return err
}

func (b *batches) read(ctx context.Context, s *stretch, into *paging.Batch, most int, call esapi.SearchRequest) (err error) {
	call.AllowPartialSearchResults, call.Instrument = new(false), b.store.client.instrument
	into.Rows = into.Rows[:0]
	if into.Buffer, err = b.store.client.read(ctx, call, into.Buffer, most); err != nil {
		return err
	}
	s.told, err = b.take(into)
	return err
}

// collect waits for the rows that come next, of which there may be none within
// bounds.
func (b *batches) collect(into *paging.Batch) error {
	s := b.under[0]
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
	b.pit.renew(s.told.pit)
	came := len(into.Rows)
	if err := b.advance(s, came, len(into.Buffer)); err != nil {
		return err
	}
	if came < s.wanted {
		b.under = b.under[1:]
	}
	if int64(came) > b.left {
		into.Rows = into.Rows[:b.left]
	}
	b.taken += int64(len(into.Rows))
	b.left -= int64(len(into.Rows))
	return nil
}

// advance goes on behind the rows that came, and asks for as many more or fewer
// as their size says.
func (b *batches) advance(s *stretch, came, size int) error {
	if came == 0 {
		return nil
	}
	var ok bool
	if b.after, ok = elements(s.told.last); !ok || len(b.after) < len(b.plan.terms) {
		return errAnswer
	}
	s.behind = stdjson.RawMessage(b.after[0])
	const growth = 4
	fits := b.store.limits.batchBytes / max(1, size/came)
	b.rows = max(1, min(fits, growth*max(b.rows, came), b.store.limits.batchRows))
	return nil
}

// take makes rows of the answer in the batch's buffer, in which they stay.
func (b *batches) take(into *paging.Batch) (told, error) {
	var t told
	head, err := readAnswer(into.Buffer, func(h openedHit) error {
		t.last = h.sort
		row, err := h.row(b.plan.fields)
		into.Rows = append(into.Rows, row)
		return err
	})
	if err != nil {
		return told{}, err
	}
	t.pit = head.PIT
	return t, head.check(false)
}

// To find the next rows by id, Elasticsearch compares the id of every session of
// the scope with the position, for each batch anew: a snapshot of a million rows
// would cost three times what reading it in any order does, one of five millions
// ten times. Within bounds it looks at few. Good bounds are ids between which
// there are as many rows as a batch takes, and a sample of the ids tells them:
// should it tell them badly, batches are too small or take two requests, and
// every row still comes, in its place.

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

// behind is the bound about so many rows behind the last one; false when none is
// left, and the rest of the order has no bound.
func (b *bounds) behind(rows int) (string, bool) {
	const slack = 0.8 // a batch that is full takes another request to the same bound
	b.next += max(1, int(slack*float64(rows)/b.spacing))
	if b.next > len(b.ids) {
		return "", false
	}
	return b.ids[b.next-1], true
}

// skipTo leaves out what stands before the first row.
func (b *bounds) skipTo(id string, desc bool) {
	for b.next < len(b.ids) && (b.ids[b.next] == id || b.ids[b.next] < id != desc) {
		b.next++
	}
}

// between is the condition on ids behind one of them, up to a bound.
func between(desc bool, behind stdjson.RawMessage, upTo string) clause {
	low, high := "gt", "lte"
	if desc {
		low, high = "lt", "gte"
	}
	limits := clause{high: upTo}
	if behind != nil {
		limits[low] = behind
	}
	return within("id", limits)
}
