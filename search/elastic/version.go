package elastic

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/search"
)

// refreshPaths are the parts of the statistics that make up SearchableVersion.
const refreshPaths = "indices.*.uuid indices.*.shards.*.routing indices.*.shards.*.refresh.external_total"

// SearchableVersion changes whenever a search of sessions may give another result
// than before, whoever wrote. It may change when nothing was written.
//
// It counts the refreshes of every copy of every shard. Sequence numbers would
// change with the write, which may be long before any search sees it.
func (s *Store) SearchableVersion(ctx context.Context) (string, error) {
	_ = s.checked(ctx) // another index may be searched by now; the statistics tell what is wrong
	parts, err := shardParts(ctx, s.client, statistics{[]string{s.searched()}, "refresh", refreshPaths}, describeRefreshes)
	if err != nil {
		return "", err
	}
	if len(parts) == 0 {
		return "", fmt.Errorf("elasticsearch: %w: the index of sessions has no shard", search.ErrUnavailable)
	}
	return strings.Join(parts, "; "), nil
}

// refreshStats are the refresh counts of a shard's copy.
type refreshStats struct {
	Routing struct {
		Node string `json:"node"`
	} `json:"routing"`
	Refresh struct {
		Total int64 `json:"external_total"`
	} `json:"refresh"`
}

func describeRefreshes(shard string, copies []refreshStats) ([]string, error) {
	parts := make([]string, len(copies))
	for i, c := range copies {
		parts[i] = fmt.Sprintf("%s %s %d", shard, c.Routing.Node, c.Refresh.Total)
	}
	return parts, nil
}

// statistics names a kind of statistics, the indices, and the paths of the needed
// parts.
type statistics struct {
	indices       []string
	metric, paths string
}

// shardParts lists, in a fixed order, the result of describe for the copies of each
// shard.
func shardParts[S any](ctx context.Context, c *client, of statistics, describe func(shard string, copies []S) ([]string, error)) ([]string, error) {
	var stats struct {
		Indices map[string]struct {
			UUID   string         `json:"uuid"`
			Shards map[string][]S `json:"shards"`
		} `json:"indices"`
	}
	err := c.call(ctx, esapi.IndicesStatsRequest{
		Index: of.indices, Metric: []string{of.metric}, Level: "shards", FilterPath: paths(of.paths), Instrument: c.instrument,
	}, &stats)
	if err != nil {
		return nil, err
	}
	var parts []string
	for _, index := range stats.Indices {
		for number, copies := range index.Shards {
			some, err := describe(index.UUID+"/"+number, copies)
			if err != nil {
				return nil, err
			}
			parts = append(parts, some...)
		}
	}
	slices.Sort(parts)
	return parts, nil
}
