package elastic

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/scopegate/scopegate/session"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// Faulty are the documents of the index of sessions that are no sessions, of all
// companies: searches leave them out.
type Faulty struct {
	Count int64
	Some  []FaultyDocument // a few of them
}

// FaultyDocument is one of them.
type FaultyDocument struct {
	ID     string   // its _id
	Fields []string // whose values make it faulty, of those that searches know
}

// Faulty counts them, for the operator. It reads ids and names of fields, and
// nothing that a document holds. Errors: ErrUnavailable, ErrTimeout, the
// context's.
func (s *Store) Faulty(ctx context.Context) (Faulty, error) {
	const some = 5
	if err := s.checked(ctx); err != nil {
		return Faulty{}, err
	}
	body, err := json.Marshal(clause{
		"query": clause{"exists": clause{"field": faultsField}}, "size": some, "track_total_hits": true,
		"_source": false, "docvalue_fields": []string{faultsField},
	})
	if err != nil {
		return Faulty{}, err
	}
	var a struct {
		answer

		Hits struct {
			Total hitTotal `json:"total"`
			Hits  []struct {
				ID     string `json:"_id"`
				Fields struct {
					Faults []string `json:"faults"`
				} `json:"fields"`
			} `json:"hits"`
		} `json:"hits"`
	}
	err = s.client.call(ctx, esapi.SearchRequest{
		Index: []string{s.names(session.KindSession).read}, Body: bytes.NewReader(body),
		AllowPartialSearchResults: no(), Instrument: s.client.instrument,
	}, &a)
	if err == nil {
		err = a.check(false)
	}
	if err != nil {
		return Faulty{}, err
	}
	found := Faulty{Count: a.Hits.Total.Value}
	for _, h := range a.Hits.Hits {
		found.Some = append(found.Some, FaultyDocument{ID: h.ID, Fields: h.Fields.Faults})
	}
	return found, nil
}
