package elastic

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
)

// atOnceTests is the number of tests that run at a time. Most of them wait for
// Elasticsearch, so there are more than processors.
const atOnceTests = 4

func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		if err := flag.Set("test.parallel", strconv.Itoa(atOnceTests)); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// Environment variables of the tests on a real Elasticsearch.
const (
	addressVariable = "SCOPEGATE_TEST_ELASTICSEARCH" // its URL
	requireVariable = "SCOPEGATE_REQUIRE_SERVICES"   // if set, a missing service fails the test instead of skipping it
)

// address returns the URL of a real Elasticsearch.
func address(tb testing.TB) string {
	tb.Helper()
	url := os.Getenv(addressVariable)
	switch {
	case url != "":
	case os.Getenv(requireVariable) != "":
		tb.Fatalf("%s is not set, and %s says that it must be: see `make services`", addressVariable, requireVariable)
	default:
		tb.Skipf("needs a real Elasticsearch: set %s to its URL; `make services` brings one up", addressVariable)
	}
	return url
}

// openBare opens a Store on a real Elasticsearch without indices. If the test makes
// them, they are deleted at its end.
func openBare(tb testing.TB, shards int) *Store {
	tb.Helper()
	return openWith(tb, Options{Addresses: []string{address(tb)}, Index: uniqueName(tb), Shards: shards})
}

// openSessions opens an empty Store on a real Elasticsearch that has only the index
// of sessions: making an index takes longer than most tests.
func openSessions(tb testing.TB, shards int) *Store {
	tb.Helper()
	s := openBare(tb, shards)
	_, err := s.createIndex(tb.Context(), session.KindSession)
	if err = errors.Join(err, s.inspect(tb.Context())); err != nil {
		tb.Fatal(err)
	}
	return s
}

// openStore opens an empty Store on a real Elasticsearch.
func openStore(tb testing.TB, shards int) *Store {
	tb.Helper()
	s := openBare(tb, shards)
	if _, err := s.Create(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s
}

func openWith(tb testing.TB, o Options) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if o.Transport == nil {
			dropIndices(tb, s)
		}
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func uniqueName(tb testing.TB) string {
	tb.Helper()
	random := make([]byte, 6)
	if _, err := rand.Read(random); err != nil {
		tb.Fatal(err)
	}
	return "scopegate-test-" + hex.EncodeToString(random)
}

func dropIndices(tb testing.TB, s *Store) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	rows, err := s.catalogued(ctx, s.options.Index+"-*")
	if err != nil || len(rows) == 0 {
		return // another Store of the same test may have deleted them
	}
	var indices []string
	for _, row := range rows {
		indices = append(indices, row.Index)
	}
	err = s.client.call(ctx, esapi.IndicesDeleteRequest{
		Index: indices, IgnoreUnavailable: new(true), Instrument: s.client.instrument,
	}, nil)
	if err != nil {
		tb.Errorf("delete %v: %v", indices, err)
	}
}

// values are the fields of a session that matter to a test.
type values map[string]any

// newSession returns a document in wire form.
func newSession(tb testing.TB, id string, company int, given values) session.Document {
	tb.Helper()
	all := values{"id": id, "companyId": company}
	maps.Copy(all, given)
	raw, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := session.Parse(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return doc
}

func upserts(docs ...session.Document) []session.Change {
	changes := make([]session.Change, len(docs))
	for i, doc := range docs {
		changes[i] = session.Change{Kind: session.KindSession, Session: doc}
	}
	return changes
}

func write(tb testing.TB, w session.Writer, docs ...session.Document) {
	tb.Helper()
	if _, err := w.Write(tb.Context(), upserts(docs...)); err != nil {
		tb.Fatal(err)
	}
}

func mustKeyword(tb testing.TB, text string) keyword.Keyword {
	tb.Helper()
	k, err := keyword.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// ids returns the ids of a page, in its order.
func ids(tb testing.TB, page search.Page) []string {
	tb.Helper()
	list := []string{}
	for _, row := range page.Rows {
		var item struct{ ID string }
		if err := json.Unmarshal(row.JSON, &item); err != nil {
			tb.Fatal(err)
		}
		list = append(list, item.ID)
	}
	return list
}
