package elastic

import (
	"errors"
	"strings"
	"testing"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestIndicesAreMadeOnce(t *testing.T) {
	t.Parallel()
	s := openBare(t, 3)
	if err := s.Ping(t.Context()); !errors.Is(err, ErrNoIndex) {
		t.Errorf("before: error %v, want %v", err, ErrNoIndex)
	}
	base := s.options.Index
	want := []string{base + "-sessions-000001", base + "-companies-000001", base + "-grants-000001"}
	for _, expected := range [][]string{want, nil} {
		created, err := s.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(expected, created); diff != "" {
			t.Errorf("created (-want +got):\n%s", diff)
		}
	}
	write(t, s, newSession(t, "a", 7, nil))
	status, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(status.Version, "8.") {
		t.Errorf("version %q", status.Version)
	}
	sessions := status.Indices[0]
	sessions.Bytes = 0
	if diff := cmp.Diff(IndexStatus{
		Kind: "sessions", ReadAlias: base + "-sessions", WriteAlias: base + "-sessions-write",
		Index: want[0], Health: "green", Shards: 3, Documents: 1,
	}, sessions); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestTwoMayMakeTheIndicesAtATime(t *testing.T) {
	t.Parallel()
	s := openBare(t, 1)
	var group errgroup.Group
	for range 2 {
		group.Go(func() error {
			_, err := s.Create(t.Context())
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func TestAnIndexOfAnotherVersionIsNotSearched(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	err := s.client.call(t.Context(), esapi.IndicesPutMappingRequest{
		Index:      []string{s.names(session.KindSession).first()},
		Body:       strings.NewReader(`{"_meta":{"scopegate":{"schema":1,"folding":"another"}}}`),
		Instrument: s.client.instrument,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, ErrSchema) {
		t.Errorf("ready: error %v, want %v", err, ErrSchema)
	}
	_, err = s.Search(t.Context(), tenancytest.Scope(t, 7), everything())
	if !errors.Is(err, ErrSchema) || !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("search: error %v, want %v and %v", err, ErrSchema, search.ErrUnavailable)
	}
	if _, err := s.Create(t.Context()); !errors.Is(err, ErrSchema) {
		t.Errorf("create: error %v, want %v", err, ErrSchema)
	}
	status, err := s.Status(t.Context())
	if err != nil || status.Indices[0].Problem == "" {
		t.Errorf("status: %+v, error %v; want a problem", status, err)
	}
}
