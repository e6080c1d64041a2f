package sqlite

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// values are the fields of a session that matter to a test.
type values map[string]any

// newSession returns a document in wire form.
func newSession(tb testing.TB, id string, company int, given values) session.Document {
	tb.Helper()
	all := values{
		"id": id, "companyId": company,
		"clientMessageCount": 0, "operatorMessageCount": 0, "botMessageCount": 0,
	}
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

// openStore opens an empty store and closes it at the end of the test.
func openStore(tb testing.TB) *Store {
	tb.Helper()
	return openWith(tb, Options{Dir: tb.TempDir()})
}

// openAt opens a store on the folder and closes it at the end of the test.
func openAt(tb testing.TB, dir string) *Store {
	tb.Helper()
	return openWith(tb, Options{Dir: dir})
}

func openWith(tb testing.TB, o Options) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func write(tb testing.TB, s *Store, docs ...session.Document) {
	tb.Helper()
	changes := make([]session.Change, len(docs))
	for i, doc := range docs {
		changes[i] = session.Change{Kind: session.KindSession, Session: doc}
	}
	if _, err := s.Write(tb.Context(), changes); err != nil {
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

func numbered(n int) string { return fmt.Sprintf("session-%07d", n) }
