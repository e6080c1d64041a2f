package elastic

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"fmt"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/session"
)

// mark is the description of an index's schema in its metadata.
type mark struct {
	Version int    `json:"schema"`
	Folding string `json:"folding"` // see keyword.Folding.Fingerprint
	// Since is the lowest schema whose programs can search the index. 0: only those
	// that know Version; indices of schemas 1 and 2 have none.
	Since   int    `json:"since,omitempty"`
	Program string `json:"program,omitempty"` // the version that made the index, or added its last fields
}

func newestMark(steps schema.List) mark {
	newest := steps.Newest()
	return mark{
		Version: newest.Schema, Folding: newest.Folding.Fingerprint(), Since: steps.SearchedSince(), Program: schema.Program(),
	}
}

// step returns the schema by whose rules this program searches the index. The error
// is ErrSchema when it cannot search it.
func (m mark) step(steps schema.List) (schema.Step, error) {
	step, known := steps.Find(m.Version)
	if newest := steps.Newest(); m.Version > newest.Schema {
		if m.Since == 0 || m.Since > newest.Schema {
			return schema.Step{}, m.newer(steps)
		}
		step, known = newest, true
	}
	if !known || !step.Searched || step.Folding.Fingerprint() != m.Folding {
		return schema.Step{}, fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrSchema)
	}
	return step, nil
}

// newer refuses an index of a newer schema.
func (m mark) newer(steps schema.List) error {
	return fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable,
		schemaError{reason.Text(steps.Newer("the index", m.Version, m.Program))})
}

// schemaError is an ErrSchema with a text of its own.
type schemaError struct{ reason.Text }

// Is implements errors.Is.
func (schemaError) Is(target error) bool { return target == ErrSchema }

// Unwrap returns the text, which logs may contain.
func (e schemaError) Unwrap() error { return e.Text }

// addFields brings an index of an older schema up to date if the steps to the newest
// one add fields only. Gateways that know the older schema go on searching the index.
func (s *Store) addFields(ctx context.Context, of session.Kind, name string, index described) error {
	after := s.steps.After(index.Mappings.Meta.Scopegate.Version)
	if len(after) == 0 || after.Elasticsearch() == schema.Rewritten {
		return nil
	}
	fields := s.mappingOf(of)
	if left := index.Mappings.Meta.Migration; left.OldUUID != "" {
		fields["_meta"] = metadata(newestMark(s.steps), left)
	}
	body, err := stdjson.Marshal(fields)
	if err != nil {
		return fmt.Errorf("elasticsearch: mapping: %w", err)
	}
	return s.client.call(ctx, esapi.IndicesPutMappingRequest{
		Index: []string{name}, Body: bytes.NewReader(body), Instrument: s.client.instrument,
	}, nil)
}
