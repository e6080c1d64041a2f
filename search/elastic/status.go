package elastic

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/reason"
)

// Status is what there is of the indices.
type Status struct {
	Version string        // Elasticsearch's
	Indices []IndexStatus // sessions, companies, grants
}

// IndexStatus is one of the three sorts of indices.
type IndexStatus struct {
	Kind       string // sessions, companies, grants
	ReadAlias  string
	WriteAlias string
	Index      string // "": missing
	Health     string // green, yellow, red
	Shards     int
	Replicas   int
	Documents  int64
	Bytes      int64  // on disk, replicas included
	Problem    string // "": it fits
}

// Status asks what there is. Errors: ErrUnavailable, ErrTimeout, the context's.
func (s *Store) Status(ctx context.Context) (Status, error) {
	var info struct {
		Version struct {
			Number string `json:"number"`
		} `json:"version"`
	}
	if err := s.client.call(ctx, esapi.InfoRequest{Instrument: s.client.instrument}, &info); err != nil {
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
	return status, nil
}

func (s *Store) indexStatus(ctx context.Context, k kind) (IndexStatus, error) {
	n := s.names(k.of)
	status := IndexStatus{Kind: k.word, ReadAlias: n.read, WriteAlias: n.write}
	_, err := s.describe(ctx, k.of)
	switch {
	case isMissing(err):
		status.Problem = reason.Of(err)
		return status, nil
	case isVerdict(err):
		status.Problem = reason.Of(err)
	case err != nil:
		return IndexStatus{}, err
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

// number is 0 for what is not known yet.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func isMissing(err error) bool { return errors.Is(err, ErrNoIndex) }
