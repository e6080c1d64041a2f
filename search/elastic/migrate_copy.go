package elastic

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"github.com/scopegate/scopegate/search"
)

// pass copies every document of the old index whose last write is not copied yet, and
// returns the number of operations that it covered. A document that is written again
// meanwhile moves to a later sequence number, where this pass or the next one finds
// it.
//
// The checkpoint is read before the refresh: every operation up to it is complete on
// all copies of the shard, so it cannot be undone, and searches see it afterwards.
func (m *migrating) pass(ctx context.Context, phase string) (operations int64, err error) {
	points, err := m.checkpoints(ctx, m.old)
	if err != nil {
		return 0, err
	}
	if err := m.refresh(ctx, m.old); err != nil {
		return 0, err
	}
	var done, of int64
	for shard, p := range points {
		mark, ok := m.marks.Shards[shard]
		if !ok {
			mark = shardMark{History: p.History, Done: -1}
		}
		if mark.History != p.History {
			return 0, fmt.Errorf("elasticsearch: %w: shard %s of the old index was restored from a backup", ErrMigrationState, shard)
		}
		p.Done = max(p.Done, mark.Done) // another node that took over may know a lower one at first
		points[shard], m.marks.Shards[shard] = p, mark
		done += mark.Done + 1
		of += p.Done + 1
	}
	if operations = of - done; operations == 0 {
		m.report(phase, done, of)
		return 0, m.saveChanged(ctx)
	}
	t := &tally{migrating: m, phase: phase, done: done, of: of}
	group, together := errgroup.WithContext(ctx)
	group.SetLimit(m.options.shardsAtOnce())
	for _, shard := range slices.Sorted(maps.Keys(points)) {
		group.Go(func() error { return m.copyShard(together, t, shard, points[shard].Done) })
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return operations, m.saveSometimes(ctx)
}

// shardsAtOnce is the number of shards that are read at a time. Each has one search
// and the bulk requests of one batch under way.
func (MigrateOptions) shardsAtOnce() int { return 2 }

// saveEvery is how often a migration saves how far it is: each time changes the state
// of the cluster. A migration that is killed copies again what was copied since.
const saveEvery = 5 * time.Second

func (m *migrating) saveSometimes(ctx context.Context) error {
	if time.Since(m.saved) < saveEvery {
		return nil
	}
	return m.saveMarks(ctx)
}

func (m *migrating) saveChanged(ctx context.Context) error {
	if !m.changed {
		return nil
	}
	return m.saveMarks(ctx)
}

// tally counts for the shards that are copied at a time.
type tally struct {
	*migrating

	phase string

	mu       sync.Mutex // guards the fields below, and the marks
	done, of int64
}

// reached notes that a shard is copied up to a sequence number.
func (t *tally) reached(ctx context.Context, shard string, seqNo int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	mark := t.marks.Shards[shard]
	t.done += seqNo - mark.Done
	mark.Done = seqNo
	t.marks.Shards[shard] = mark
	t.changed = true
	t.report(t.phase, t.done, t.of)
	return t.saveSometimes(ctx)
}

func (m *migrating) copyShard(ctx context.Context, t *tally, shard string, last int64) error {
	t.mu.Lock()
	from := t.marks.Shards[shard].Done + 1
	t.mu.Unlock()
	return m.eachCopy(ctx, shard, from, last, true, func(batch []copiedHit, upTo int64) error {
		if t.phase == PhaseCopy {
			if err := m.pace.wait(ctx, len(batch)); err != nil {
				return err
			}
		}
		if err := m.copyBatch(ctx, batch); err != nil {
			return err
		}
		return t.reached(ctx, shard, upTo)
	})
}

// copiedHit is a document of the old index.
type copiedHit struct {
	ID      string         `json:"_id"`
	Routing string         `json:"_routing"`
	SeqNo   int64          `json:"_seq_no"`
	Source  jsontext.Value `json:"_source"` // nil: it cannot be read
}

// eachCopy passes the documents of a shard whose last write is in the range to f, in
// batches in the order of the writes; each contains all documents up to a sequence
// number that are not in an earlier batch.
func (m *migrating) eachCopy(ctx context.Context, shard string, from, last int64, source bool, f func(batch []copiedHit, upTo int64) error) error {
	size := m.limits.window
	if source {
		size = m.pace.most(m.limits.copyRows)
	}
	for wanted := size; from <= last; {
		r := request{
			Query: mustMarshal(clause{"range": clause{"_seq_no": clause{"gte": from, "lte": last}}}), Size: wanted,
			Sort: []clause{{"_seq_no": "asc"}}, Source: source, Versions: true,
		}
		var batch []copiedHit
		err := m.retryBusy(ctx, func() (err error) { batch, err = m.readCopies(ctx, shard, r); return err })
		if unread := errors.Is(err, errTooLarge) || errors.Is(err, errAnswer); unread && source {
			switch {
			case wanted > 1:
				wanted = max(1, wanted/8)
				continue
			case !r.rewritten:
				batch, err = m.readUnreadable(ctx, shard, r)
			}
		}
		if err != nil {
			return err
		}
		upTo := last
		if len(batch) == wanted {
			upTo = batch[len(batch)-1].SeqNo
		}
		if err := f(batch, upTo); err != nil {
			return err
		}
		from = upTo + 1
		wanted = min(size, 2*wanted)
	}
	return nil
}

// readUnreadable reads the one document that makes an answer unreadable: as
// Elasticsearch writes it anew, or else without its source.
func (m *migrating) readUnreadable(ctx context.Context, shard string, r request) ([]copiedHit, error) {
	r.rewritten = true
	batch, err := m.readCopies(ctx, shard, r)
	if errors.Is(err, errTooLarge) || errors.Is(err, errAnswer) {
		r.rewritten, r.Source = false, false
		batch, err = m.readCopies(ctx, shard, r)
	}
	return batch, err
}

func (m *migrating) readCopies(ctx context.Context, shard string, r request) ([]copiedHit, error) {
	body, err := stdjson.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: query: %w", err)
	}
	call := esapi.SearchRequest{
		Index: []string{m.old}, Body: bytes.NewReader(body), AllowPartialSearchResults: new(false),
		Preference: "_shards:" + shard, Instrument: m.client.instrument,
	}
	if r.rewritten {
		call.SourceExcludes = rewritten()
	}
	var a struct {
		answer

		Hits struct {
			Hits []copiedHit `json:"hits"`
		} `json:"hits"`
	}
	err = m.client.use(ctx, call, maxReply, func(body []byte) error { return decodeStored(body, &a) })
	if err == nil {
		err = a.check(false)
	}
	return a.Hits.Hits, err
}

// decodeStored decodes an answer with documents as they are stored.
func decodeStored(body []byte, into any) error {
	if json.Unmarshal(body, into, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		return errAnswer
	}
	return nil
}

// copyBatch writes documents to the new index.
func (m *migrating) copyBatch(ctx context.Context, batch []copiedHit) error {
	ops := make([]operation, 0, len(batch))
	for _, h := range batch {
		op := operation{
			place: place{index: m.ownNames().write, id: h.ID, routing: h.Routing}, nth: len(ops),
			source: h.Source, external: externalVersion(h.SeqNo),
		}
		if !oneLine(&op.source) {
			op.source = nil // it is left out, like a document that the new index refuses
		}
		ops = append(ops, op)
	}
	if len(ops) == 0 {
		return nil
	}
	done, err := m.writeRound(ctx, ops, refreshLater)
	if err != nil || len(done.refused) == 0 {
		return err
	}
	// An earlier version of a refused document must not be found either. The next
	// comparison names it.
	var without []operation
	for _, r := range done.refused {
		op := ops[r.Change]
		op.source = nil
		without = append(without, op)
	}
	_, err = m.writeRound(ctx, without, refreshLater)
	return err
}

// oneLine removes line breaks between the parts of a document, which a bulk request
// cannot contain. It changes nothing else.
func oneLine(source *[]byte) bool {
	if !bytes.ContainsAny(*source, "\r\n") {
		return *source != nil
	}
	value := jsontext.Value(slices.Clone(*source))
	if value.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		return false
	}
	*source = value
	return true
}

// checkpoints returns, by shard, the history and the last sequence number up to which
// every operation is complete on all copies.
func (s *Store) checkpoints(ctx context.Context, index string) (map[string]shardMark, error) {
	var stats struct {
		Indices map[string]struct {
			Shards map[string][]shardStats `json:"shards"`
		} `json:"indices"`
	}
	err := s.retryBusy(ctx, func() error {
		return s.client.call(ctx, esapi.IndicesStatsRequest{
			Index: []string{index}, Metric: []string{"docs"}, Level: "shards", FilterPath: paths(versionPaths), Instrument: s.client.instrument,
		}, &stats)
	})
	if err != nil {
		return nil, err
	}
	points := map[string]shardMark{}
	for shard, copies := range stats.Indices[index].Shards {
		at := slices.IndexFunc(copies, func(c shardStats) bool { return c.Routing.Primary })
		if at < 0 {
			return nil, fmt.Errorf("elasticsearch: %w: shard %s of %s has no primary", search.ErrUnavailable, shard, index)
		}
		points[shard] = shardMark{History: copies[at].Commit.UserData.History, Done: copies[at].SeqNo.Global}
	}
	if len(points) == 0 {
		return nil, fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrNoIndex)
	}
	return points, nil
}

// pace limits documents per second.
type pace struct {
	rate int // 0: no limit

	mu   sync.Mutex
	next time.Time // when the next documents may be copied
}

func newPace(rate int) *pace { return &pace{rate: rate} }

// most is the number of documents to copy at a time.
func (p *pace) most(n int) int {
	if p.rate > 0 {
		return min(n, p.rate)
	}
	return n
}

// wait waits until n more documents may be copied.
func (p *pace) wait(ctx context.Context, n int) error {
	if p.rate <= 0 || n == 0 {
		return nil
	}
	p.mu.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	until := p.next
	p.next = p.next.Add(time.Duration(n) * time.Second / time.Duration(p.rate))
	p.mu.Unlock()
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return contextError(ctx)
	}
}

// mustMarshal is for clauses of our own, which can always be marshalled.
func mustMarshal(c clause) stdjson.RawMessage {
	body, err := stdjson.Marshal(c)
	if err != nil {
		panic(err)
	}
	return body
}
