package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// openNarrow opens an empty Store on a real Elasticsearch that accepts no text as
// purpose. Elasticsearch accepts all documents that the parser accepts; this stands
// for those that it may refuse all the same.
func openNarrow(t *testing.T) *Store {
	t.Helper()
	s := openBare(t, 3)
	body := s.definition(session.KindSession)
	body["mappings"].(clause)["properties"].(clause)["purpose"] = clause{"type": "long"}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	err = s.client.call(t.Context(), esapi.IndicesCreateRequest{
		Index: s.names(session.KindSession).first(), Body: bytes.NewReader(text), Instrument: s.client.instrument,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDocumentsThatElasticsearchRefusesAreNamedAndAllOthersAreWritten(t *testing.T) {
	s := openNarrow(t)
	s.limits.bulkLines = 2 // several requests
	bad := newSession(t, "bad", 7, values{"purpose": "secret"})
	changes := upserts(bad, newSession(t, "a", 7, nil), newSession(t, "b", 7, nil), bad, newSession(t, "bad", 7, nil), newSession(t, "c", 7, nil), bad)
	changes = append(changes, gone("b"), gone("none"))
	written, err := s.Write(t.Context(), changes)
	var refused *session.RefusedError
	if !errors.As(err, &refused) || errors.Is(err, search.ErrUnavailable) {
		t.Fatalf("error %v, want refusals", err)
	}
	const why = "Elasticsearch refuses it: status 400, document_parsing_exception"
	want := []session.Refusal{{Change: 0, Reason: why}, {Change: 3, Reason: why}, {Change: 6, Reason: why}}
	if diff := cmp.Diff(want, refused.Refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(session.Written{Upserted: 4, Deleted: 1, Missing: 1}, written); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	if n := countAll(t, s); n != 3 {
		t.Errorf("%d sessions are there, want 3", n)
	}
}

// The documents themselves are valid.
func TestAnIndexThatTakesNoDocumentRefusesNoneOfThem(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, s *Store) error{
		"it is closed": func(t *testing.T, s *Store) error {
			t.Helper()
			return s.client.call(t.Context(), esapi.IndicesCloseRequest{Index: []string{s.names(session.KindSession).first()}, Instrument: s.client.instrument}, nil)
		},
		"its pipeline is missing": func(t *testing.T, s *Store) error {
			t.Helper()
			return s.client.call(t.Context(), esapi.IndicesPutSettingsRequest{
				Index: []string{s.names(session.KindSession).first()}, Body: strings.NewReader(`{"index":{"default_pipeline":"none"}}`), Instrument: s.client.instrument,
			}, nil)
		},
		"the alias has no index to write to": func(t *testing.T, s *Store) error {
			t.Helper()
			n := s.names(session.KindSession)
			return s.client.call(t.Context(), esapi.IndicesPutAliasRequest{
				Index: []string{n.first()}, Name: n.write, Body: strings.NewReader(`{"is_write_index":false}`), Instrument: s.client.instrument,
			}, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := openSessions(t, 1)
			if err := change(t, s); err != nil {
				t.Fatal(err)
			}
			s.fits.known.Store(&checkedFitness{asked: time.Now().Add(time.Hour)})
			_, err := s.Importer().Write(t.Context(), upserts(newSession(t, "a", 7, nil)))
			var refused *session.RefusedError
			if err == nil || errors.As(err, &refused) {
				t.Errorf("error %v, want one that is of no document", err)
			}
		})
	}
}

// Elasticsearch accepts each document that the parser accepts. Otherwise an import
// into SQLite and one into Elasticsearch would differ.
func TestElasticsearchTakesEveryDocumentThatTheParserTakes(t *testing.T) {
	t.Parallel()
	s := openSessions(t, 1)
	var docs []session.Document
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.Custom(oddDocument).Draw(t, "document")
		doc, err := session.Parse([]byte(raw))
		if err == nil {
			docs = append(docs, doc)
		}
	})
	if len(docs) == 0 {
		t.Fatal("the parser took nothing")
	}
	if _, err := s.Write(t.Context(), upserts(docs...)); err != nil {
		t.Errorf("%d documents: %v", len(docs), err)
		var refused *session.RefusedError
		if errors.As(err, &refused) {
			t.Logf("%s", docs[refused.Refused[0].Change].JSON())
		}
	}
}

// oddDocument draws values at and beyond the limits of the engines.
func oddDocument(t *rapid.T) string {
	number := func(name string) string {
		digits := rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), 0, 99, -1).Draw(t, name+" digits")
		return rapid.SampledFrom([]string{
			"0", "-0", "-0.0", "1e5", "1E+05", "1e-400", "1e400", "-1e-999999999", "1e999999999", "0." + digits + "1", "1" + digits, "-1" + digits,
			"1" + digits + "." + digits + "1",
		}).Draw(t, name)
	}
	text := func(name string) string {
		quoted, err := json.Marshal(rapid.StringN(0, 20, -1).Draw(t, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(quoted)
	}
	depth := rapid.IntRange(1, 110).Draw(t, "depth")
	open, end := `{"a":`, "}"
	if rapid.Bool().Draw(t, "lists") {
		open, end = "[", "]"
	}
	members := []string{
		`"id":"` + rapid.StringMatching(`[a-z]{1,20}`).Draw(t, "id") + `"`, `"companyId":7`,
		`"rating":` + number("rating"), `"price":` + number("price"), `"name":` + text("name"), `"purpose":` + text("purpose"),
		`"nps":` + rapid.SampledFrom([]string{"0", "9223372036854775807", "-9223372036854775808", "null"}).Draw(t, "nps"),
		`"createdAt":` + rapid.SampledFrom([]string{`"0001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59.999999999Z"`, `"2024-02-29T00:00:00+14:00"`, "null"}).Draw(t, "date"),
		`"metrics":{` + text("key") + `:` + strings.Repeat(open, depth) + number("value") + strings.Repeat(end, depth) + `}`,
	}
	return "{" + strings.Join(rapid.Permutation(members).Draw(t, "order"), ",") + "}"
}

// Terms of Lucene have at most 32,766 bytes, and folding may make text longer.
func TestElasticsearchTakesTextOfAnyLengthThatTheParserTakes(t *testing.T) {
	t.Parallel()
	s := openSessions(t, 1)
	texts := []string{
		strings.Repeat("x", 100_000), strings.Repeat("😀", 20_000),
		strings.Repeat("word ", 20_000), strings.Repeat("😀", 1000),
		strings.Repeat("ﷺ", 1000), strings.Repeat("㌀", 1000),
		strings.Repeat("ﷺ", 8000), strings.Repeat("ﷺ", 8191),
		strings.Repeat(" \t\n", 10_000),
	}
	var docs []session.Document
	for _, text := range texts {
		for _, f := range session.Fields() {
			var value any
			switch f.Type {
			case session.TypeString:
				value = text
			case session.TypeStrings:
				value = []string{text, text}
			case session.TypeObject:
				value = map[string]string{text[:min(len(text), 9000)]: text}
			default:
				continue
			}
			doc, err := session.Parse(fmt.Appendf(nil, `{"id":"%d","companyId":7,%q:%s}`, len(docs), f.Name, inJSON(t, value)))
			if errors.Is(err, session.ErrDocument) {
				continue
			}
			docs = append(docs, doc)
		}
	}
	_, err := s.Write(t.Context(), upserts(docs...))
	var refused *session.RefusedError
	if errors.As(err, &refused) {
		t.Logf("%.200s…", docs[refused.Refused[0].Change].JSON())
	}
	if err != nil {
		t.Errorf("%d documents: %v", len(docs), err)
	}
}

func inJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
