package elastic

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/session"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

func TestAnIndexBehindTheAliasIsKnownByItsUUIDAndNotByItsName(t *testing.T) {
	t.Parallel()
	s := openStore(t, 1)
	at := func() string {
		t.Helper()
		id, err := s.Identity(t.Context())
		if err != nil || id == "" {
			t.Fatalf("identity %q, %v", id, err)
		}
		return id
	}
	first := at()
	foreignWrite(t, s, session.KindSession, "s1", `{"id":"s1","companyId":1}`)
	if again := at(); again != first {
		t.Errorf("it changes with a write: %s, then %s", first, again)
	}
	if other, err := openStore(t, 1).Identity(t.Context()); err != nil || other == first {
		t.Errorf("another index is %s too, %v", other, err)
	}
	next := moveAlias(t, s)
	moved := at()
	if moved == first {
		t.Error("the alias leads to another index, and the identity is the same")
	}
	dropIndices(t, s)
	dropIndex(t, s, next)
	if id, err := s.Identity(t.Context()); err == nil {
		t.Errorf("without an index it is %q", id)
	}
	if _, err := s.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := at(); again == first || again == moved {
		t.Error("an index that was made anew under the same name has the old one's identity")
	}
}

func dropIndex(t *testing.T, s *Store, name string) {
	t.Helper()
	if err := s.client.call(context.Background(), esapi.IndicesDeleteRequest{Index: []string{name}, IgnoreUnavailable: new(true)}, nil); err != nil {
		t.Errorf("delete %s: %v", name, err)
	}
}

// moveAlias moves the read alias of sessions to a new, empty index and returns its
// name.
func moveAlias(t *testing.T, s *Store) string {
	t.Helper()
	n := s.names(session.KindSession)
	next := n.read + "-000002"
	t.Cleanup(func() { dropIndex(t, s, next) })
	if err := s.client.call(t.Context(), esapi.IndicesCreateRequest{Index: next}, nil); err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"actions":[{"remove":{"index":%q,"alias":%q}},{"add":{"index":%q,"alias":%q}}]}`, n.first(), n.read, next, n.read)
	if err := s.client.call(t.Context(), esapi.IndicesUpdateAliasesRequest{Body: strings.NewReader(body), Header: http.Header{"Content-Type": {"application/json"}}}, nil); err != nil {
		t.Fatal(err)
	}
	return next
}
