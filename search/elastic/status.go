package elastic

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// Status describes the indices.
type Status struct {
	Version string        // version of Elasticsearch
	Indices []IndexStatus // sessions, companies, grants

	Migration *MigrationStatus // nil: none is under way
}

// MigrationStatus describes a migration of the sessions that is under way.
type MigrationStatus struct {
	Old, New string // indices
	Schema   int    // of the new index
	Searched bool   // the new index is searched: see DropOld
	Blocked  bool   // the old index takes no writes, or a run was killed while it did not
	// Done of Of operations on the old index are in the new one. Our writers' are
	// counted when a pass has seen them.
	Done, Of int64
}

// IndexStatus describes one of the three kinds of indices.
type IndexStatus struct {
	Kind       string // sessions, companies, grants
	ReadAlias  string
	WriteAlias string
	Index      string // "": missing
	Health     string // green, yellow, red
	Shards     int
	Replicas   int
	Documents  int64
	Bytes      int64  // on disk, including replicas
	Problem    string // "": it fits
}

// Status reads the state of the indices. Errors: ErrUnavailable, ErrTimeout, the
// context's error.
func (s *Store) Status(ctx context.Context) (Status, error) {
	var info struct {
		Version struct {
			Number string `json:"number"`
		} `json:"version"`
	}
	err := s.client.call(ctx, esapi.InfoRequest{Instrument: s.client.instrument}, &info)
	if err != nil {
		return Status{}, err
	}
	status := Status{Version: info.Version.Number}
	for _, k := range kinds() {
		index, err := s.indexStatus(ctx, k)
		if err != nil {
			return Status{}, err
		}
		status.Indices = append(status.Indices, index)
	}
	status.Migration, err = s.migrationStatus(ctx)
	return status, err
}

func (s *Store) migrationStatus(ctx context.Context) (*MigrationStatus, error) {
	l, err := s.locate(ctx)
	if isFinalRefusal(err) || err == nil && (l.plain.name == l.own.name || l.own.Mappings.Meta.Migration.OldUUID == "") {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	left := l.own.Mappings.Meta.Migration
	status := &MigrationStatus{Old: left.Old, New: l.own.name, Schema: l.own.Mappings.Meta.Scopegate.Version, Searched: l.switched, Blocked: left.Blocked}
	for _, mark := range left.Shards {
		status.Done += mark.Done + 1
	}
	status.Of = status.Done
	points, err := s.checkpoints(ctx, left.Old)
	if errors.Is(err, ErrNoIndex) { // DropOld was interrupted
		return status, nil
	}
	if err != nil {
		return nil, err
	}
	status.Of = 0
	for _, p := range points {
		status.Of += p.Done + 1
	}
	return status, nil
}

func (s *Store) indexStatus(ctx context.Context, k kind) (IndexStatus, error) {
	n := s.names(k.of)
	status := IndexStatus{Kind: k.word, ReadAlias: n.read, WriteAlias: n.write}
	err := s.describe(ctx, k.of)
	switch {
	case isMissing(err):
		status.Problem = reason.Of(err)
		return status, nil
	case isFinalRefusal(err):
		status.Problem = reason.Of(err)
	case err != nil:
		return IndexStatus{}, err
	}
	if k.of == session.KindSession {
		n.read = s.searched()
		status.ReadAlias = n.read
	}
	rows, err := s.catalogued(ctx, n.read)
	if err != nil || len(rows) == 0 {
		return status, err
	}
	status.Index, status.Health = rows[0].Index, rows[0].Health
	status.Shards, status.Replicas = int(number(rows[0].Shards)), int(number(rows[0].Replicas))
	status.Documents, status.Bytes = number(rows[0].Documents), number(rows[0].Bytes)
	return status, nil
}

// catRow is a line of the list of indices; its numbers are text.
type catRow struct {
	Index     string `json:"index"`
	Health    string `json:"health"`
	Shards    string `json:"pri"`
	Replicas  string `json:"rep"`
	Documents string `json:"docs.count"`
	Bytes     string `json:"store.size"`
}

func (s *Store) catalogued(ctx context.Context, alias string) (rows []catRow, err error) {
	err = s.client.call(ctx, esapi.CatIndicesRequest{
		Index: []string{alias}, Format: "json", Bytes: "b",
		H:          []string{"index", "health", "pri", "rep", "docs.count", "store.size"},
		Instrument: s.client.instrument,
	}, &rows)
	slices.SortFunc(rows, func(a, b catRow) int { return cmp.Compare(b.Index, a.Index) })
	return rows, err
}

// number returns 0 for what is not known yet.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func isMissing(err error) bool { return errors.Is(err, ErrNoIndex) }

// Identity distinguishes the searched sessions from all others, of any cluster: it
// consists of the UUIDs of the indices behind the read alias. It changes as soon as
// the alias leads to another index. It contains the schema too: programs of different
// versions may answer the same query differently, so they share no cached answer.
// Errors: ErrNoIndex, ErrUnavailable, ErrTimeout, the context's error.
func (s *Store) Identity(ctx context.Context) (string, error) {
	_ = s.checked(ctx) // another index may be searched by now; the request below tells what is wrong
	var answer map[string]struct {
		Settings struct {
			Index struct {
				UUID string `json:"uuid"`
			} `json:"index"`
		} `json:"settings"`
	}
	err := s.client.call(ctx, esapi.IndicesGetSettingsRequest{
		Index: []string{s.searched()}, Name: []string{"index.uuid"}, Instrument: s.client.instrument,
	}, &answer)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, index := range answer {
		if index.Settings.Index.UUID == "" {
			return "", fmt.Errorf("elasticsearch: %w: an index has no UUID", search.ErrUnavailable)
		}
		ids = append(ids, index.Settings.Index.UUID)
	}
	if len(ids) == 0 {
		return "", fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrNoIndex)
	}
	slices.Sort(ids)
	newest := s.steps.Newest()
	return fmt.Sprintf("%s schema %d %s", strings.Join(ids, " "), newest.Schema, newest.Folding.Fingerprint()), nil
}

// Faulty describes the unfit documents in the index of sessions, of all companies.
// Searches leave them out.
type Faulty struct {
	Count int64
	Some  []FaultyDocument // a few of them
}

// FaultyDocument is one unfit document.
type FaultyDocument struct {
	ID     string   // its _id
	Fields []string // searched fields whose values are faulty
}

// Faulty counts the unfit documents, for the operator. It reads ids and names of
// fields, and no values. Errors: ErrUnavailable, ErrTimeout, the context's error.
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
		Index: []string{s.searched()}, Body: bytes.NewReader(body),
		AllowPartialSearchResults: new(false), Instrument: s.client.instrument,
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
