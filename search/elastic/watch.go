package elastic

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/search"
)

// refreshPaths are the parts of the statistics that SearchableVersion is made of.
const refreshPaths = "indices.*.uuid indices.*.shards.*.routing indices.*.shards.*.refresh.external_total"

// SearchableVersion differs from the one before whenever searches of sessions
// may find something that they did not find before, or no longer what they did,
// whoever wrote it. It may differ when nothing was written.
//
// It counts the refreshes of every copy of every shard: sequence numbers move
// with a write, and that may be long before any search sees it.
func (s *Store) SearchableVersion(ctx context.Context) (string, error) {
	var stats struct {
		Indices map[string]struct {
			UUID   string `json:"uuid"`
			Shards map[string][]struct {
				Routing struct {
					Node string `json:"node"`
				} `json:"routing"`
				Refresh struct {
					Total int64 `json:"external_total"`
				} `json:"refresh"`
			} `json:"shards"`
		} `json:"indices"`
	}
	err := s.client.call(ctx, esapi.IndicesStatsRequest{
		Index: []string{s.names(search.KindSession).read}, Metric: []string{"refresh"}, Level: "shards",
		FilterPath: paths(refreshPaths), Instrument: s.client.instrument,
	}, &stats)
	if err != nil {
		return "", err
	}
	var parts []string
	for _, index := range stats.Indices {
		for number, copies := range index.Shards {
			for _, c := range copies {
				parts = append(parts, fmt.Sprintf("%s/%s %s %d", index.UUID, number, c.Routing.Node, c.Refresh.Total))
			}
		}
	}
	if len(parts) == 0 {
		return "", fmt.Errorf("elasticsearch: %w: the index of sessions has no shard", search.ErrUnavailable)
	}
	slices.Sort(parts)
	return strings.Join(parts, "; "), nil
}
