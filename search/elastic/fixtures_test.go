package elastic

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/search/searchtest"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// unpacked reads a file of a fixture.
func unpacked(t *testing.T, fixture, name string) string {
	t.Helper()
	packed, err := os.Open(filepath.Join("..", "schema", "testdata", fixture, name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = packed.Close() }()
	file, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// openFixture makes the indices of a fixture, as the program of that schema made
// them, and opens this program on them.
func openFixture(t *testing.T, fixture string) *Store {
	t.Helper()
	s := openBare(t, 1)
	var indices map[string]clause
	if err := json.Unmarshal([]byte(unpacked(t, fixture, "indices.json")), &indices); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, k := range kinds() {
		n := s.names(k.of)
		index := indices[k.word]
		index["aliases"] = clause{n.read: clause{}, n.write: clause{"is_write_index": true}}
		body, err := json.Marshal(index)
		if err != nil {
			t.Fatal(err)
		}
		names[k.word] = n.first()
		if status, answer := ordinary(t, http.MethodPut, "/"+n.first(), string(body)); status != http.StatusOK {
			t.Fatalf("status %d: %s", status, answer)
		}
	}
	var bulk strings.Builder
	lines := bufio.NewReader(strings.NewReader(unpacked(t, fixture, "documents.ndjson")))
	for action := true; ; action = !action {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		for word, name := range names {
			if action {
				line = strings.Replace(line, `{"index": {"_index": "`+word+`"`, `{"index": {"_index": "`+name+`"`, 1)
			}
		}
		bulk.WriteString(line)
	}
	if status, answer := ordinary(t, http.MethodPost, "/_bulk?refresh=true", bulk.String()); status != http.StatusOK || strings.Contains(string(answer), `"errors":true`) {
		t.Fatalf("status %d: %s", status, answer)
	}
	return s
}

func TestIndicesOfEveryOlderSchemaAreSearchedByTheirRulesAndMigrated(t *testing.T) {
	t.Parallel()
	for _, step := range schema.Steps() {
		if step.Fixture == "" {
			continue
		}
		t.Run("schema "+step.Fixture, func(t *testing.T) {
			s := openFixture(t, step.Fixture)
			s.limits.noticed, s.limits.followEvery = 200*time.Millisecond, 50*time.Millisecond
			if created, err := s.Create(t.Context()); err != nil || len(created) > 0 {
				t.Fatalf("created %v, error %v", created, err)
			}
			var docs []session.Document
			if err := s.Changes(t.Context(), 1000, func(changes []session.Change, _ []session.Unfit) error {
				for _, c := range changes {
					if c.Kind == session.KindSession {
						docs = append(docs, c.Session)
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			searchtest.RunByFolding(t, s, docs, step.Folding)
			wantWalk(t, s, len(docs))
			done := mustMigrate(t, s, MigrateOptions{})
			if done.Sessions != int64(len(docs)) || len(docs) < 300 || done.Refused != 0 {
				t.Errorf("%+v of %d sessions", done, len(docs))
			}
			s.fits.known.Store(nil)
			searchtest.RunStored(t, s, docs)
		})
	}
}

// wantWalk reads all sessions by name, page by page.
func wantWalk(t *testing.T, s *Store, sessions int) {
	t.Helper()
	q := search.Query{Sort: []search.SortKey{{Field: "name"}, {Field: "id"}}, Fields: session.AllFields(), Limit: 40}
	seen := map[string]bool{}
	for range sessions {
		got, err := s.Search(t.Context(), tenancytest.Scope(t, searchtest.StoredCompanies()...), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range got.Page.Rows {
			seen[idOf(row.JSON)] = true
			q.After = &row.Position
		}
		if !got.Page.More {
			break
		}
	}
	if len(seen) != sessions {
		t.Errorf("%d sessions are on the pages by name, want %d", len(seen), sessions)
	}
}
