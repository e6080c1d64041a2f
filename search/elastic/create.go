package elastic

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"

	"github.com/scopegate/scopegate/session"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// Create makes those of the three indices that do not exist, each with its aliases,
// and returns their names. It also makes the index of the directory's lock, without
// returning its name. It may be repeated at any time, also concurrently. An index of
// an older schema gets the fields that it lacks, if nothing else is missing; an
// older index that can be searched stays as it is. One that does not fit is
// ErrSchema.
func (s *Store) Create(ctx context.Context) (created []string, err error) {
	for _, k := range kinds() {
		err := s.upToDate(ctx, k.of)
		if err == nil {
			continue
		}
		if !isMissing(err) {
			return created, err
		}
		made, err := s.createIndex(ctx, k.of)
		if err != nil {
			return created, fmt.Errorf("create %s: %w", s.names(k.of).first(), err)
		}
		if made {
			created = append(created, s.names(k.of).first())
		}
	}
	// Those who edit the directory would make this one too, but may lack the
	// privilege.
	if err := s.createLockIndex(ctx); err != nil {
		return created, err
	}
	return created, s.inspect(ctx)
}

func (s *Store) createIndex(ctx context.Context, of session.Kind) (made bool, err error) {
	body, err := stdjson.Marshal(s.definition(of))
	if err != nil {
		return false, err
	}
	err = s.client.call(ctx, esapi.IndicesCreateRequest{
		Index: s.names(of).first(), Body: bytes.NewReader(body), Instrument: s.client.instrument,
	}, nil)
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, errExists) {
		return false, err
	}
	// Another process made it first, or the aliases were removed.
	err = s.describe(ctx, of)
	return false, err
}

// upToDate adds the fields that the existing index of a kind lacks.
func (s *Store) upToDate(ctx context.Context, of session.Kind) error {
	if err := s.describe(ctx, of); err != nil {
		return err
	}
	name, index, err := s.readIndex(ctx, of)
	if err != nil {
		return err
	}
	return s.addFields(ctx, of, name, index)
}
