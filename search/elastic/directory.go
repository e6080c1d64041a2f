package elastic

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// loadAttempts is how often the directory is read until it stays the same
// meanwhile.
const loadAttempts = 5

// errChanging is why the directory could not be read.
var errChanging = fmt.Errorf("elasticsearch: %w: companies and grants kept changing while they were read", search.ErrUnavailable)

// Load reads all companies and grants as they were at one moment. It sees every
// change that has been acknowledged before it began.
//
// There is no point in time of two indices: old companies under new grants could
// show somebody what was never theirs. So it reads again when something changed
// in between.
func (s *Store) Load(ctx context.Context) (tenancy.Records, error) {
	d, err := s.loadDirectory(ctx)
	return d.records, err
}

// directory is what Load reads, and where and in which version it is stored.
type directory struct {
	records tenancy.Records
	seen    map[place]*revision
}

func (s *Store) loadDirectory(ctx context.Context) (directory, error) {
	before, err := s.Version(ctx)
	for attempt := 0; err == nil && attempt < loadAttempts; attempt++ {
		var d directory
		if d, err = s.load(ctx); err != nil {
			break
		}
		var after string
		if after, err = s.Version(ctx); err == nil && after == before {
			return d, nil
		}
		before = after
	}
	if err == nil {
		err = errChanging
	}
	return directory{}, err
}

// load reads the companies, then the grants, each on one point in time.
func (s *Store) load(ctx context.Context) (directory, error) {
	d := directory{seen: map[place]*revision{}}
	err := s.each(ctx, search.KindCompany, func(at place, h hit) error {
		c, err := tenancy.DecodeCompany(stdjson.RawMessage(h.Source))
		d.records.Companies, d.seen[at] = append(d.records.Companies, c), &h.revision
		return err
	})
	if err != nil {
		return directory{}, err
	}
	err = s.each(ctx, search.KindGrant, func(at place, h hit) error {
		g, err := tenancy.DecodeGrant(stdjson.RawMessage(h.Source))
		d.records.Grants, d.seen[at] = append(d.records.Grants, g), &h.revision
		return err
	})
	if err != nil {
		return directory{}, err
	}
	return d, nil
}

// each reads all documents of an index, in no stated order. The refresh comes
// first, or a change that Version tells of might not be there yet.
func (s *Store) each(ctx context.Context, of search.Kind, f func(at place, h hit) error) error {
	index := s.names(of).read
	if err := s.refresh(ctx, index); err != nil {
		return err
	}
	return s.onPointInTime(ctx, index, func(at *pit) error {
		r := request{Size: s.limits.window, Sort: []clause{{"_shard_doc": "asc"}}, Source: true, Versions: true, PIT: at}
		for {
			a, err := s.askDirectory(ctx, r)
			if err != nil {
				return err
			}
			for _, h := range a.Hits.Hits {
				if err := f(place{s.names(of).write, h.ID}, h); err != nil {
					return fmt.Errorf("elasticsearch: a document of %s: %w", index, err)
				}
			}
			if len(a.Hits.Hits) < r.Size {
				return nil
			}
			r.SearchAfter = a.Hits.Hits[r.Size-1].Sort
		}
	})
}

// askDirectory is the one search without a tenant scope: it is what scopes are
// made of. Its point in time holds no sessions.
func (s *Store) askDirectory(ctx context.Context, r request) (answer, error) {
	body, err := stdjson.Marshal(r)
	if err != nil {
		return answer{}, fmt.Errorf("elasticsearch: query: %w", err)
	}
	var a answer
	err = s.client.call(ctx, esapi.SearchRequest{
		Body: bytes.NewReader(body), AllowPartialSearchResults: no(), Instrument: s.client.instrument,
	}, &a)
	if err != nil {
		return answer{}, err
	}
	return a, a.check(false)
}

// shardStats tell how far a shard's writes have come.
type shardStats struct {
	Routing struct {
		Primary bool   `json:"primary"`
		Node    string `json:"node"`
	} `json:"routing"`
	SeqNo struct {
		Max    int64 `json:"max_seq_no"`        // given to a write
		Local  int64 `json:"local_checkpoint"`  // done here
		Global int64 `json:"global_checkpoint"` // done on every copy
	} `json:"seq_no"`
	Commit struct {
		UserData struct {
			History string `json:"history_uuid"`
		} `json:"user_data"`
	} `json:"commit"`
	Leases struct {
		Term int64 `json:"primary_term"`
	} `json:"retention_leases"`
}

// versionPaths are the parts of the statistics that a version is made of.
const versionPaths = "indices.*.uuid indices.*.shards.*.routing indices.*.shards.*.seq_no" +
	" indices.*.shards.*.commit.user_data.history_uuid indices.*.shards.*.retention_leases.primary_term"

// Version tells every write from the one before by Elasticsearch's own sequence
// numbers, whoever wrote. They change once more when the write is done and when
// it is done on every copy, so that whatever was loaded while it was under way
// is loaded again. They mean something only within one history of one index, and
// until another node takes over, which is why those are in it too.
func (s *Store) Version(ctx context.Context) (string, error) {
	indices := []string{s.names(search.KindCompany).read, s.names(search.KindGrant).read}
	parts, err := ofShards(ctx, s.client, statistics{indices, "docs", versionPaths}, writesOf)
	if err != nil {
		return "", err
	}
	if len(parts) < len(indices) {
		return "", fmt.Errorf("elasticsearch: %w: the directory's indices are not all there", search.ErrUnavailable)
	}
	return strings.Join(parts, "; "), nil
}

func writesOf(shard string, copies []shardStats) ([]string, error) {
	at := slices.IndexFunc(copies, func(c shardStats) bool { return c.Routing.Primary })
	if at < 0 {
		return nil, fmt.Errorf("elasticsearch: %w: a shard of the directory has no primary", search.ErrUnavailable)
	}
	c := copies[at]
	return []string{fmt.Sprintf("%s %s %s %d %d %d %d", shard, c.Commit.UserData.History,
		c.Routing.Node, c.Leases.Term, c.SeqNo.Max, c.SeqNo.Local, c.SeqNo.Global)}, nil
}
