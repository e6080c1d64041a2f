package elastic

import (
	"context"
	"slices"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// statistics are what to ask of which indices, and the paths of what is needed.
type statistics struct {
	indices       []string
	metric, paths string
}

// ofShards lists, in a fixed order, what describe tells of the copies of each
// shard, whose name it is given.
func ofShards[S any](ctx context.Context, c *client, of statistics, describe func(shard string, copies []S) ([]string, error)) ([]string, error) {
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
