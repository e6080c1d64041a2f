package elastic

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// bulkPaths are the needed parts of the answer.
const bulkPaths = "items.*.status items.*.result items.*.error.type items.*.error.reason items.*._seq_no items.*._primary_term" +
	" items.*._index"

// outcome is the result of one operation.
type outcome struct {
	Index  string `json:"_index"` // the index, not the alias
	Status int    `json:"status"`
	Result string `json:"result"`
	Error  *fault `json:"error"`

	revision // the document's new revision
}

// bulked is the result of several operations.
type bulked struct {
	written session.Written
	refused []session.Refusal // documents that Elasticsearch refuses now and on every retry
}

func (b *bulked) add(other bulked) {
	b.written = sum(b.written, other.written)
	b.refused = append(b.refused, other.refused...)
}

// err returns a *search.RefusedError if there are refusals.
func (b *bulked) err() error {
	if len(b.refused) == 0 {
		return nil
	}
	slices.SortFunc(b.refused, func(x, y session.Refusal) int { return cmp.Compare(x.Change, y.Change) })
	return fmt.Errorf("elasticsearch: %w", &session.RefusedError{Refused: b.refused})
}

// bulk writes operations on different documents. It retries those that
// Elasticsearch rejected because it was too busy.
func (s *Store) bulk(ctx context.Context, ops []operation, refresh string) (done bulked, err error) {
	unanswered := false
	for p := s.newRetries(); ; {
		var some bulked
		some, ops, err = s.tryBulk(ctx, ops, refresh)
		done.add(some)
		if unanswered && errors.Is(err, errConflict) { // perhaps caused by an earlier, unanswered attempt
			return done, errHalfway
		}
		unanswered = unanswered || err != nil
		switch {
		case err == nil && len(ops) == 0:
			return done, nil
		case errors.Is(err, errBlocked) && s.isMigrating(ctx) && p.left():
			// The block of a migration is over soon.
		case errors.Is(err, errTooMuch):
			some, err = s.bulkHalves(ctx, ops, refresh)
			done.add(some)
			return done, err
		case err != nil && !errors.Is(err, errBusy):
			return done, err
		case !p.left():
			return done, fmt.Errorf("elasticsearch: %w: %w, for %v", search.ErrUnavailable, errBusy, s.limits.retryFor)
		}
		if err := p.wait(ctx); err != nil {
			return done, err
		}
	}
}

// bulkHalves divides operations that are too large for one request. A single
// operation that is too large is refused.
func (s *Store) bulkHalves(ctx context.Context, ops []operation, refresh string) (done bulked, err error) {
	if len(ops) == 1 {
		done.refused = []session.Refusal{{Change: ops[0].nth, Reason: "Elasticsearch, or a proxy before it, takes no request of its size: status 413"}}
		return done, nil
	}
	for _, half := range [][]operation{ops[:len(ops)/2], ops[len(ops)/2:]} {
		some, err := s.bulk(ctx, half, refresh)
		done.add(some)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// tryBulk returns the operations that Elasticsearch rejected because it was busy.
// With errBusy these are all operations. With errConflict the counted operations
// have been written.
func (s *Store) tryBulk(ctx context.Context, ops []operation, refresh string) (bulked, []operation, error) {
	var done bulked
	body, err := bulkBody(ops)
	if err != nil {
		return done, nil, err
	}
	var a struct {
		Items []struct {
			Index  *outcome `json:"index"`
			Create *outcome `json:"create"`
			Delete *outcome `json:"delete"`
		} `json:"items"`
	}
	err = s.client.call(ctx, esapi.BulkRequest{
		Body: body, Refresh: refresh, RequireAlias: new(true), // else a misspelt name would become an index
		FilterPath: paths(bulkPaths), Instrument: s.client.instrument,
	}, &a)
	if err != nil {
		return done, ops, err
	}
	if len(a.Items) != len(ops)+len(guardOf(ops)) {
		return done, nil, errAnswer
	}
	var turnedAway []operation
	var conflict, blocked error
	for i, item := range a.Items[:len(ops)] {
		o := item.Index
		switch ops[i].verb() {
		case "create":
			o = item.Create
		case "delete":
			o = item.Delete
		}
		switch {
		case o == nil:
			return done, nil, errAnswer
		case ops[i].external != 0 && (o.Status == http.StatusConflict || o.isMissingIndex()):
			// The document is there in this version or a later one, or the migration
			// was undone.
			continue
		case o.Error != nil && isBlock(o.Status, o.Error.kind()):
			blocked = fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, errBlocked)
			turnedAway = append(turnedAway, ops[i])
			continue
		case isBusy(o.Status):
			turnedAway = append(turnedAway, ops[i])
			continue
		case o.Error != nil && ops[i].seen != nil && o.Status == http.StatusConflict:
			conflict = errConflict
			continue
		case o.isRefusal():
			done.refused = append(done.refused, session.Refusal{Change: ops[i].nth, Reason: o.reason()})
			continue
		}
		if err := o.count(&done.written); err != nil {
			return done, nil, err
		}
		ops[i].wrote(o.Index, o.revision)
	}
	return done, turnedAway, cmp.Or(conflict, blocked)
}

func bulkBody(ops []operation) (*bytes.Reader, error) {
	size := 0
	for _, op := range ops {
		size += op.size()
	}
	b := bytes.NewBuffer(make([]byte, 0, size))
	for _, op := range ops {
		if err := op.write(b); err != nil {
			return nil, err
		}
	}
	for _, line := range guardOf(ops) {
		b.WriteString(line)
	}
	return bytes.NewReader(b.Bytes()), nil
}

// guardOf returns an update of a document that does not exist if the operations have a
// delete with an external version. Such a delete makes a missing index, here after a
// migration was undone: Elasticsearch does not heed require_alias for deletes, unless
// another operation of the request on the same name does.
func guardOf(ops []operation) []string {
	for _, op := range ops {
		if op.external != 0 && op.source == nil {
			return []string{`{"update":{"_index":"` + op.index + `","_id":"absent"}}` + "\n" + `{"doc":{}}` + "\n"}
		}
	}
	return nil
}

// isRefusal reports whether Elasticsearch refuses this document. Other errors with
// the same status are about the index, and so about every document.
func (o *outcome) isRefusal() bool {
	if o.Error == nil || o.Status != http.StatusBadRequest {
		return false
	}
	switch o.Error.kind() {
	case "index_closed_exception", "cluster_block_exception":
		return false
	case "illegal_argument_exception":
		why := o.Error.why()
		return !strings.HasPrefix(why, "no write index is defined for alias") && !strings.HasPrefix(why, "pipeline with id")
	}
	return true
}

// reason says why a document is refused. It contains only the type of the error:
// Elasticsearch's reasons quote documents.
func (o *outcome) reason() string {
	return fmt.Sprintf("Elasticsearch refuses it: status %d, %s", o.Status, o.Error.kind())
}

func (o *outcome) isMissingIndex() bool {
	return o.Error != nil && o.Error.kind() == "index_not_found_exception"
}

// count adds the outcome to written, or returns its error.
func (o *outcome) count(written *session.Written) error {
	switch {
	case o.Error != nil && o.Error.Type == "index_not_found_exception":
		return fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrNoIndex)
	case o.Error != nil && o.Error.kind() == "index_closed_exception":
		return fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrClosed)
	case o.Error != nil && o.Status >= http.StatusInternalServerError:
		return fmt.Errorf("elasticsearch: %w: status %d, %s", search.ErrUnavailable, o.Status, o.Error.kind())
	case o.Error != nil:
		return fmt.Errorf("elasticsearch: %w: status %d, %s", errRefused, o.Status, o.Error.kind())
	case o.Result == "not_found":
		written.Missing++
	case o.Result == "deleted":
		written.Deleted++
	default:
		written.Upserted++
	}
	return nil
}
