package elastic

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
)

// errUnequal reports that the indices differ although nobody could write. It passes
// when a search that both are counted by hits a copy of a shard that is behind.
var errUnequal = fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, reason.Text("the old and the new index differ"))

const (
	// mostRefused limits the documents that are left out.
	mostRefused = 10_000
	// mostNamed is the number of _ids in a message.
	mostNamed = 5
)

// compare compares every document of the old index with its copy, by version, and
// copies again what differs. Writes go on meanwhile, so a difference counts only when
// reading both again confirms it.
func (m *migrating) compare(ctx context.Context) error {
	m.refused = UncopiedError{}
	m.leftOut = nil
	points, err := m.checkpoints(ctx, m.old)
	if err != nil {
		return err
	}
	if err := m.refresh(ctx, m.old); err != nil {
		return err
	}
	var done, of int64
	for _, p := range points {
		of += p.Done + 1
	}
	for _, shard := range slices.Sorted(maps.Keys(points)) {
		before := done
		err := m.eachCopy(ctx, shard, 0, points[shard].Done, false, func(batch []copiedHit, upTo int64) error {
			done = before + upTo + 1
			m.report(PhaseCompare, done, of)
			return m.compareBatch(ctx, batch)
		})
		if err != nil {
			return err
		}
	}
	if m.refused.Count > 0 && !m.options.LeaveRefused || m.refused.Count > mostRefused {
		return &m.refused
	}
	return nil
}

func (m *migrating) compareBatch(ctx context.Context, batch []copiedHit) error {
	copies, err := m.stored(ctx, m.new, batch, false)
	if err != nil {
		return err
	}
	var differ []copiedHit
	have := map[place]int64{}
	for i, h := range batch {
		if !copies[i].Found || copies[i].Version != externalVersion(h.SeqNo) {
			differ = append(differ, h)
			have[h.place()] = copies[i].Version
		}
	}
	if differ, err = m.storedNow(ctx, differ, true); err != nil {
		return err
	}
	for _, h := range differ {
		// The old index is written first, and was read last.
		if have[h.place()] > externalVersion(h.SeqNo) {
			return fmt.Errorf("elasticsearch: %w: something else writes to the new index", ErrMigrationState)
		}
	}
	if err := m.copyBatch(ctx, differ); err != nil {
		return err
	}
	return m.noteMissing(ctx, differ)
}

// noteMissing notes the documents that are still not in the new index: it refuses
// them.
func (m *migrating) noteMissing(ctx context.Context, copied []copiedHit) error {
	copies, err := m.stored(ctx, m.new, copied, false)
	if err != nil {
		return err
	}
	var missing []copiedHit
	for i, h := range copied {
		if !copies[i].Found {
			missing = append(missing, h)
		}
	}
	now, err := m.storedNow(ctx, missing, false)
	if err != nil {
		return err
	}
	before := map[place]int64{}
	for _, h := range missing {
		before[h.place()] = h.SeqNo
	}
	for _, h := range now {
		if h.SeqNo != before[h.place()] {
			continue // written again meanwhile
		}
		m.refused.Count++
		if m.refused.Count <= mostNamed {
			m.refused.IDs = append(m.refused.IDs, shownID(h.ID))
		}
		if m.refused.Count <= mostRefused {
			m.leftOut = append(m.leftOut, h.ID)
		}
	}
	return nil
}

func shownID(id string) string {
	if len(id) > maxShownID {
		id = id[:maxShownID] + "…"
	}
	return fmt.Sprintf("%q", id)
}

func (h copiedHit) place() place { return place{id: h.ID, routing: h.Routing} }

// storedDocument is a document as it is stored now, whether or not searches see it.
type storedDocument struct {
	Found   bool           `json:"found"`
	Version int64          `json:"_version"`
	SeqNo   int64          `json:"_seq_no"`
	Source  jsontext.Value `json:"_source"`
	Error   *fault         `json:"error"`
}

// storedNow returns those of the documents that the old index has now, as it has them
// now.
func (m *migrating) storedNow(ctx context.Context, documents []copiedHit, source bool) ([]copiedHit, error) {
	const few = 100 // with their sources, which may be large
	var now []copiedHit
	for some := range slices.Chunk(documents, few) {
		stored, err := m.stored(ctx, m.old, some, source)
		if err != nil {
			return nil, err
		}
		for i, d := range stored {
			if d.Found {
				now = append(now, copiedHit{ID: some[i].ID, Routing: some[i].Routing, SeqNo: d.SeqNo, Source: d.Source})
			}
		}
	}
	return now, nil
}

// stored reads documents by id.
func (m *migrating) stored(ctx context.Context, index string, documents []copiedHit, source bool) ([]storedDocument, error) {
	if len(documents) == 0 {
		return nil, nil
	}
	docs := make([]clause, len(documents))
	for i, h := range documents {
		docs[i] = clause{"_id": h.ID}
		if h.Routing != "" {
			docs[i]["routing"] = h.Routing
		}
	}
	body, err := stdjson.Marshal(clause{"docs": docs})
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: list of ids: %w", err)
	}
	call := esapi.MgetRequest{Index: index, Instrument: m.client.instrument}
	if !source {
		call.Source = []string{"false"}
	}
	var a struct {
		Docs []storedDocument `json:"docs"`
	}
	err = m.retryBusy(ctx, func() error {
		call.Body = bytes.NewReader(body)
		return m.client.use(ctx, call, maxAnswer, func(body []byte) error { return decodeStored(body, &a) })
	})
	if err != nil {
		return nil, err
	}
	if len(a.Docs) != len(documents) {
		return nil, errAnswer
	}
	for _, d := range a.Docs {
		if d.Error != nil {
			return nil, fmt.Errorf("elasticsearch: %w: a document of %s cannot be read: %s", search.ErrUnavailable, index, d.Error.kind())
		}
	}
	return a.Docs, nil
}

// removeDeleted deletes from the new index what was deleted from the old one, and
// reports whether both have the same number of documents now. Every document of the
// old index must be in the new one, as it is after a pass: then the number of
// documents of a company is the same if, and only if, the documents are.
func (m *migrating) removeDeleted(ctx context.Context) (equal bool, err error) {
	for _, index := range []string{m.old, m.new} {
		if err := m.refresh(ctx, index); err != nil {
			return false, err
		}
	}
	after, err := m.count(ctx, m.new)
	if err != nil {
		return false, err
	}
	before, err := m.count(ctx, m.old)
	if err != nil || before == after {
		return err == nil, err
	}
	surplus, err := m.surplus(ctx)
	if err != nil {
		return false, err
	}
	for company, n := range surplus {
		if n < 0 {
			continue // written after the pass
		}
		if err := m.removeDeletedOf(ctx, company); err != nil {
			return false, err
		}
	}
	return false, nil
}

// mustEqual returns errUnequal unless every company has the same number of documents
// in both indices.
func (m *migrating) mustEqual(ctx context.Context) error {
	if err := m.refresh(ctx, m.new); err != nil {
		return err
	}
	surplus, err := m.surplus(ctx)
	if err == nil && len(surplus) > 0 {
		err = errUnequal
	}
	return err
}

// surplus returns, by company, how many documents more the new index has than the old
// one, without the companies for which that is 0. Company 0 stands for documents
// without one. The old index is counted last, since it is written first.
func (m *migrating) surplus(ctx context.Context) (map[int64]int64, error) {
	surplus, err := m.companyCounts(ctx, m.new)
	if err != nil {
		return nil, err
	}
	before, err := m.companyCounts(ctx, m.old)
	if err != nil {
		return nil, err
	}
	for company, n := range before {
		surplus[company] -= n
	}
	maps.DeleteFunc(surplus, func(_, n int64) bool { return n == 0 })
	return surplus, nil
}

// compared matches the documents that must be in both indices.
func (m *migrating) compared() clause {
	if len(m.leftOut) == 0 {
		return clause{"match_all": clause{}}
	}
	return clause{"bool": clause{"must_not": clause{"ids": clause{"values": m.leftOut}}}}
}

func (s *Store) countAll(ctx context.Context, index string) (int64, error) {
	if err := s.refresh(ctx, index); err != nil {
		return 0, err
	}
	return (&migrating{Store: s}).count(ctx, index)
}

func (m *migrating) count(ctx context.Context, index string) (int64, error) {
	var a answer
	err := m.searchWhole(ctx, index, clause{"size": 0, "track_total_hits": true, "query": m.compared()}, &a)
	if err == nil {
		err = a.check(true)
	}
	return a.Hits.Total.Value, err
}

func (m *migrating) companyCounts(ctx context.Context, index string) (map[int64]int64, error) {
	const page = 10_000
	counts := map[int64]int64{}
	companies := clause{
		"size": page, "sources": []clause{{"company": clause{"terms": clause{"field": "companyId", "missing_bucket": true}}}},
	}
	for {
		var a struct {
			answer

			Aggs struct {
				Companies struct {
					After   jsontext.Value `json:"after_key"`
					Buckets []struct {
						Key struct {
							Company *int64 `json:"company"`
						} `json:"key"`
						Count int64 `json:"doc_count"`
					} `json:"buckets"`
				} `json:"companies"`
			} `json:"aggregations"`
		}
		err := m.searchWhole(ctx, index, clause{
			"size": 0, "track_total_hits": false, "query": m.compared(), "aggs": clause{"companies": clause{"composite": companies}},
		}, &a)
		if err == nil {
			err = a.check(false)
		}
		if err != nil {
			return nil, err
		}
		found := a.Aggs.Companies
		for _, b := range found.Buckets {
			company := int64(0)
			if b.Key.Company != nil {
				company = *b.Key.Company
			}
			counts[company] += b.Count
		}
		if len(found.Buckets) < page {
			return counts, nil
		}
		companies["after"] = stdjson.RawMessage(found.After)
	}
}

// removeDeletedOf reads the documents of one company in the new index, and deletes
// those that the old index does not have.
//
// The version of the delete is one more than that of the copy. The delete in the old
// index has a higher sequence number than the write before it, and whatever is written
// under this id later has a higher one still: so this delete wins over the copy, and
// over nothing that comes later.
func (m *migrating) removeDeletedOf(ctx context.Context, company int64) error {
	const page = 5000
	query := clause{"term": clause{"companyId": company}}
	if company == 0 {
		query = clause{"bool": clause{"must_not": clause{"exists": clause{"field": "companyId"}}}}
	}
	return m.onPointInTime(ctx, m.new, func(at *pit) error {
		body := clause{
			"size": page, "track_total_hits": false, "query": query, "sort": []clause{{"_shard_doc": "asc"}},
			"_source": false, "version": true, "pit": at,
		}
		for {
			var a struct {
				answer

				Hits struct {
					Hits []struct {
						copiedHit

						Version int64            `json:"_version"`
						Sort    []jsontext.Value `json:"sort"`
					} `json:"hits"`
				} `json:"hits"`
			}
			err := m.searchWhole(ctx, "", body, &a)
			if err == nil {
				err = a.check(false)
			}
			if err != nil {
				return err
			}
			at.renew(a.PIT)
			hits := a.Hits.Hits
			documents := make([]copiedHit, len(hits))
			for i, h := range hits {
				documents[i] = h.copiedHit
			}
			stored, err := m.stored(ctx, m.old, documents, false)
			if err != nil {
				return err
			}
			var gone []operation
			for i, h := range hits {
				if !stored[i].Found {
					gone = append(gone, operation{place: place{index: m.ownNames().write, id: h.ID, routing: h.Routing}, external: h.Version + 1})
				}
			}
			if _, err := m.writeRound(ctx, gone, refreshLater); err != nil {
				return err
			}
			if len(hits) < page {
				return nil
			}
			body["search_after"] = hits[len(hits)-1].Sort
		}
	})
}

// searchWhole searches an index without a tenant scope, for numbers and ids only.
func (m *migrating) searchWhole(ctx context.Context, index string, body clause, into any) error {
	text, err := stdjson.Marshal(body)
	if err != nil {
		return fmt.Errorf("elasticsearch: query: %w", err)
	}
	call := esapi.SearchRequest{Body: bytes.NewReader(text), AllowPartialSearchResults: new(false), Instrument: m.client.instrument}
	if index != "" {
		call.Index = []string{index}
	}
	return m.retryBusy(ctx, func() error {
		call.Body = bytes.NewReader(text)
		return m.client.use(ctx, call, maxAnswer, func(body []byte) error { return decodeStored(body, into) })
	})
}
