package elastic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/search"
)

// bulkPaths are all that is needed of the answer.
const bulkPaths = "items.*.status items.*.result items.*.error.type items.*._seq_no items.*._primary_term"

// outcome is what became of one operation.
type outcome struct {
	Status int    `json:"status"`
	Result string `json:"result"`
	Error  *fault `json:"error"`

	revision // that it is in now
}

// bulk writes operations of different documents, and again those that were
// turned away.
func (s *Store) bulk(ctx context.Context, ops []operation, refresh string) (written search.Written, err error) {
	unanswered := false
	for p := s.newPatience(); ; {
		var some search.Written
		some, ops, err = s.tryBulk(ctx, ops, refresh)
		written = sum(written, some)
		if unanswered && errors.Is(err, errConflict) { // perhaps with what was written before
			return written, errHalfway
		}
		unanswered = unanswered || err != nil
		switch {
		case err == nil && len(ops) == 0:
			return written, nil
		case err != nil && !errors.Is(err, errBusy):
			return written, err
		case !p.left():
			return written, fmt.Errorf("elasticsearch: %w: %w, for %v", search.ErrUnavailable, errBusy, s.limits.patience)
		}
		if err := p.wait(ctx); err != nil {
			return written, err
		}
	}
}

// tryBulk returns the operations that were turned away: all of them beside
// errBusy. Beside errConflict what is counted has been written.
func (s *Store) tryBulk(ctx context.Context, ops []operation, refresh string) (search.Written, []operation, error) {
	var written search.Written
	body, err := bulkBody(ops)
	if err != nil {
		return written, nil, err
	}
	var a struct {
		Items []struct {
			Index  *outcome `json:"index"`
			Create *outcome `json:"create"`
			Delete *outcome `json:"delete"`
		} `json:"items"`
	}
	err = s.client.call(ctx, esapi.BulkRequest{
		Body: body, Refresh: refresh, RequireAlias: yes(), // else a misspelt name would become an index
		FilterPath: paths(bulkPaths), Instrument: s.client.instrument,
	}, &a)
	if err != nil {
		return written, ops, err
	}
	if len(a.Items) != len(ops) {
		return written, nil, errAnswer
	}
	var turnedAway []operation
	var conflict error
	for i, item := range a.Items {
		o := item.Index
		switch ops[i].verb() {
		case "create":
			o = item.Create
		case "delete":
			o = item.Delete
		}
		if o == nil {
			return written, nil, errAnswer
		}
		if o.Error != nil && isBlock(o.Status, o.Error.kind()) {
			return written, nil, fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, errBlocked)
		}
		if isBusy(o.Status) {
			turnedAway = append(turnedAway, ops[i])
			continue
		}
		if o.Error != nil && ops[i].seen != nil && o.Status == http.StatusConflict {
			conflict = errConflict
			continue
		}
		if err := o.count(&written); err != nil {
			return written, nil, err
		}
		ops[i].wrote(o.revision)
	}
	return written, turnedAway, conflict
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
	return bytes.NewReader(b.Bytes()), nil
}

// count adds an outcome, or is the error that it is. Of a refusal only the type
// is told: reasons quote documents.
func (o *outcome) count(written *search.Written) error {
	switch {
	case o.Error != nil && o.Error.Type == "index_not_found_exception":
		return fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrNoIndex)
	case o.Error != nil && o.Status >= http.StatusInternalServerError:
		return fmt.Errorf("elasticsearch: %w: status %d, %s", search.ErrUnavailable, o.Status, o.Error.kind())
	case o.Error != nil:
		return fmt.Errorf("elasticsearch: %w: a document: status %d, %s", errRefused, o.Status, o.Error.kind())
	case o.Result == "not_found":
		written.Missing++
	case o.Result == "deleted":
		written.Deleted++
	default:
		written.Upserted++
	}
	return nil
}
