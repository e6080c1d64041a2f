package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// plainDocument is a document of another producer: any text under any _id.
type plainDocument struct {
	id   string
	text string
}

// writePlain writes documents with an ordinary HTTP client to the write alias, one
// request each, and returns the status of each.
func writePlain(tb testing.TB, s *Store, docs ...plainDocument) []int {
	tb.Helper()
	var statuses []int
	for _, doc := range docs {
		statuses = append(statuses, putPlain(tb, s, doc, ""))
	}
	refreshPlain(tb, s)
	return statuses
}

// mustWritePlain fails unless Elasticsearch accepts all of them.
func mustWritePlain(tb testing.TB, s *Store, docs ...plainDocument) {
	tb.Helper()
	for i, status := range writePlain(tb, s, docs...) {
		if status != http.StatusCreated && status != http.StatusOK {
			tb.Fatalf("document %q: status %d", docs[i].id, status)
		}
	}
}

func putPlain(tb testing.TB, s *Store, doc plainDocument, query string) (status int) {
	tb.Helper()
	status, _ = ordinary(tb, http.MethodPut, fmt.Sprintf("/%s/_doc/%s%s", s.names(session.KindSession).write, url.PathEscape(doc.id), query), doc.text)
	return status
}

func refreshPlain(tb testing.TB, s *Store) {
	tb.Helper()
	if status, body := ordinary(tb, http.MethodPost, "/"+s.names(session.KindSession).write+"/_refresh", ""); status != http.StatusOK {
		tb.Fatalf("refresh: status %d: %s", status, body)
	}
}

func ordinary(tb testing.TB, method, path, body string) (status int, answer []byte) {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, address(tb)+path, bytes.NewReader([]byte(body)))
	if err != nil {
		tb.Fatal(err)
	}
	r.Close = true // the leak check counts goroutines of idle connections
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if answer, err = io.ReadAll(res.Body); err != nil {
		tb.Fatal(err)
	}
	return res.StatusCode, answer
}

// plain returns a session as text, without the fields that have no value.
func plain(tb testing.TB, id string, company int, given values) plainDocument {
	tb.Helper()
	all := values{"id": id, "companyId": company}
	maps.Copy(all, given)
	text, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	return plainDocument{id, string(text)}
}

// walked returns the ids of all pages. Each page starts after the last position of
// the previous one. It fails when the walk does not end.
func walked(tb testing.TB, s *Store, q search.Query, companies ...tenancy.CompanyID) []string {
	tb.Helper()
	var all []string
	for range 1000 {
		result, err := s.Search(tb.Context(), tenancytest.Scope(tb, companies...), q)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, ids(tb, result.Page)...)
		if !result.Page.More {
			return all
		}
		last := result.Page.Rows[len(result.Page.Rows)-1].Position
		q.After, q.Offset = &last, 0
	}
	tb.Fatalf("the walk does not end: %d rows", len(all))
	return nil
}

// exported returns the rows of a snapshot.
func exported(tb testing.TB, s *Store, q search.Query, companies ...tenancy.CompanyID) []search.Row {
	tb.Helper()
	snapshot, err := s.Snapshot(tb.Context(), tenancytest.Scope(tb, companies...), q)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := snapshot.Close(); err != nil {
			tb.Error(err)
		}
	}()
	var all []search.Row
	for {
		rows, err := snapshot.Next(tb.Context())
		if errors.Is(err, io.EOF) {
			if int64(len(all)) != snapshot.Count() {
				tb.Errorf("a snapshot counts %d and has %d", snapshot.Count(), len(all))
			}
			return all
		}
		if err != nil {
			tb.Fatal(err)
		}
		for _, row := range rows {
			row.JSON = slices.Clone(row.JSON)
			all = append(all, row)
		}
	}
}

// whole returns a query for everything, for a snapshot.
func whole() search.Query { return search.Query{Fields: session.AllFields()} }

func itemOf(tb testing.TB, row search.Row) map[string]any {
	tb.Helper()
	var item map[string]any
	if err := json.Unmarshal(row.JSON, &item); err != nil {
		tb.Fatalf("%v: %s", err, row.JSON)
	}
	return item
}

func idsOf(tb testing.TB, rows []search.Row) []string {
	tb.Helper()
	return ids(tb, search.Page{Rows: rows})
}

// replaced fails when from does not occur.
func replaced(tb testing.TB, text, from, to string) string {
	tb.Helper()
	if strings.Count(text, from) != 1 {
		tb.Fatalf("%q is %d times in %s", from, strings.Count(text, from), text)
	}
	return strings.Replace(text, from, to, 1)
}
