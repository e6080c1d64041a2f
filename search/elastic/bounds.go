package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

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

func (s *Store) bounds(ctx context.Context, p plan, count int64, at *pit, t *tally) (*bounds, error) {
	query, err := json.Marshal(sampled(p))
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: query: %w", err)
	}
	const rowsEach = 100 // a batch spans many, so that chance evens out
	size := min(s.limits.window, max(1, int(count/rowsEach)))
	a, err := s.ask(ctx, query, request{Size: size, PIT: at, Columns: []string{"id"}, Stored: "_none_"}, t,
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
func between(desc bool, behind json.RawMessage, upTo string) clause {
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
