package elastic

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// Identity tells the sessions that are searched from all others, of whichever
// cluster: the UUIDs of the indices behind the read alias. It differs as soon as
// the alias leads elsewhere. Errors: ErrNoIndex, ErrUnavailable, ErrTimeout, the
// context's.
func (s *Store) Identity(ctx context.Context) (string, error) {
	var answer map[string]struct {
		Settings struct {
			Index struct {
				UUID string `json:"uuid"`
			} `json:"index"`
		} `json:"settings"`
	}
	err := s.client.call(ctx, esapi.IndicesGetSettingsRequest{
		Index: []string{s.names(session.KindSession).read}, Name: []string{"index.uuid"}, Instrument: s.client.instrument,
	}, &answer)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, index := range answer {
		if index.Settings.Index.UUID == "" {
			return "", fmt.Errorf("elasticsearch: %w: an index tells no UUID", search.ErrUnavailable)
		}
		ids = append(ids, index.Settings.Index.UUID)
	}
	if len(ids) == 0 {
		return "", fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrNoIndex)
	}
	slices.Sort(ids)
	return strings.Join(ids, " "), nil
}
