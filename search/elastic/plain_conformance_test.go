package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/search/searchtest"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// plainly is a Store whose sessions are written by an ordinary client, in varying
// forms.
type plainly struct {
	*Store

	tb testing.TB
}

// Write implements session.Writer with one bulk request; the Store writes companies
// and grants.
func (p plainly) Write(ctx context.Context, changes []session.Change) (written session.Written, err error) {
	isSession := func(c session.Change) bool { return c.Kind == session.KindSession }
	if !slices.ContainsFunc(changes, isSession) {
		return p.Store.Write(ctx, changes)
	}
	if err := ctx.Err(); err != nil {
		return written, err
	}
	var b bytes.Buffer
	for _, c := range changes {
		if c.Delete {
			fmt.Fprintf(&b, "{\"delete\":{\"_id\":%s}}\n", quotedJSON(p.tb, c.SessionID))
			continue
		}
		fmt.Fprintf(&b, "{\"index\":{\"_id\":%s}}\n%s\n", quotedJSON(p.tb, c.Session.ID()), plainText(p.tb, c.Session))
	}
	status, body := ordinary(p.tb, http.MethodPost, "/"+p.names(session.KindSession).write+"/_bulk?refresh=true", b.String())
	var answer struct {
		Items []map[string]struct {
			Status int             `json:"status"`
			Result string          `json:"result"`
			Error  json.RawMessage `json:"error"`
		} `json:"items"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		return written, fmt.Errorf("status %d: %s, error %w", status, body, err)
	}
	for _, item := range answer.Items {
		for _, outcome := range item {
			switch {
			case outcome.Error != nil:
				return written, fmt.Errorf("refused: %s", outcome.Error)
			case outcome.Result == "deleted":
				written.Deleted++
			case outcome.Result == "not_found":
				written.Missing++
			default:
				written.Upserted++
			}
		}
	}
	return written, nil
}

func quotedJSON(tb testing.TB, value any) string {
	tb.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// plainText writes a session as some producer may write it: without missing values
// and without the sum, in any order, with dates of any zone, counts as decimals,
// lists of one value, escapes and white space.
func plainText(tb testing.TB, doc session.Document) string {
	tb.Helper()
	var item map[string]json.RawMessage
	if err := json.Unmarshal(doc.JSON(), &item); err != nil {
		tb.Fatal(err)
	}
	hash := fnv.New32()
	_, _ = hash.Write(doc.JSON())
	style := hash.Sum32()
	var members []string
	for i, f := range session.Fields() {
		value := string(item[f.Name])
		absent := value == "null" || f.Name == "messageCount" || value == "0" && strings.HasSuffix(f.Name, "MessageCount") && f.Name != "unreadClientMessageCount"
		if absent && style%3 != 0 {
			continue
		}
		odd := (style>>(i%29))%2 == 0
		switch {
		case value == "null":
		case f.Name == "messageCount":
			value = "4711"
		case f.Type == session.TypeDate && odd:
			ms, _ := doc.Integer(f.Name)
			if ms > -62_000_000_000_000 && ms < 253_000_000_000_000 {
				at := time.UnixMilli(ms).In(time.FixedZone("", 3600*(int(style%25)-12)+1800))
				value = `"` + at.Format("2006-01-02T15:04:05.000000Z07:00") + `"`
			}
		case f.Type == session.TypeInteger && odd && len(value) < 10:
			value += ".0"
		case f.Type == session.TypeString && odd && f.Name != "id":
			value = "[" + asciiOnly(value) + ", null]"
		case f.Type == session.TypeString:
			value = asciiOnly(value)
		}
		members = append(members, fmt.Sprintf("%q :  %s", f.Name, value))
	}
	if style%2 == 0 {
		slices.Reverse(members)
	}
	return "{ " + strings.Join(members, " ,") + " }"
}

// asciiOnly writes a JSON string as encoders do that escape everything outside
// ASCII.
func asciiOnly(value string) string {
	var b strings.Builder
	for _, r := range value {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			b.WriteString(escape(string(r)))
		}
	}
	return b.String()
}

func TestPlainDocumentsConform(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, func(tb testing.TB) searchtest.Engine {
		tb.Helper()
		return plainly{openVolatile(tb), tb}
	})
}

// The same sessions, imported and written by an ordinary client, give the same
// answers to the byte.
func TestPlainDocumentsAnswerAsImportedOnes(t *testing.T) {
	t.Parallel()
	const sessions, questions = 600, 150
	corpus, err := searchtest.NewCorpus(5, sessions)
	if err != nil {
		t.Fatal(err)
	}
	imported, plain := openVolatile(t), openVolatile(t)
	write(t, imported, corpus.Documents...)
	if _, err := (plainly{plain, t}).Write(t.Context(), upserts(corpus.Documents...)); err != nil {
		t.Fatal(err)
	}
	for n := range questions {
		asked := rapid.Custom(corpus.Draw).Example(n)
		q := asked.Query
		if asked.Keyword != "" {
			if q.Filter.Keyword, err = keyword.Parse(asked.Keyword); err != nil {
				t.Fatal(err)
			}
		}
		scope := tenancytest.Scope(t, asked.Companies...)
		pageOf := func(s *Store) search.Result {
			result, err := s.Search(t.Context(), scope, q)
			if err != nil {
				t.Fatalf("%s: %v", asked, err)
			}
			result.Count.Provenance, result.Page.Provenance = search.Provenance{}, search.Provenance{}
			return result
		}
		if diff := cmp.Diff(pageOf(imported), pageOf(plain)); diff != "" {
			t.Fatalf("%s (-imported +plain):\n%s", asked, diff)
		}
		if n%8 > 0 {
			continue
		}
		summaryOf := func(s *Store) search.Summary {
			summary, err := search.GuardSummaries(s).Summarize(t.Context(), scope, search.SummaryQuery{Filter: q.Filter})
			if err != nil {
				t.Fatalf("%s: %v", asked, err)
			}
			summary.Provenance = search.Provenance{}
			return summary
		}
		if diff := cmp.Diff(summaryOf(imported), summaryOf(plain)); diff != "" {
			t.Fatalf("summary of %s (-imported +plain):\n%s", asked, diff)
		}
		q.Offset = 0
		if diff := cmp.Diff(walked(t, imported, q, asked.Companies...), walked(t, plain, q, asked.Companies...)); diff != "" {
			t.Fatalf("pages of %s (-imported +plain):\n%s", asked, diff)
		}
	}
	for _, format := range export.Formats() {
		for _, member := range []string{"", "sessions"} {
			if !bytes.Equal(fileOf(t, imported, corpus, format, member), fileOf(t, plain, corpus, format, member)) {
				t.Errorf("%s, archive %q: the files differ", format, member)
			}
		}
	}
}

// fileOf exports everything as a file.
func fileOf(tb testing.TB, s *Store, corpus *searchtest.Corpus, format export.Format, member string) []byte {
	tb.Helper()
	rows := exported(tb, s, whole(), corpus.Companies()...)
	if len(rows) != len(corpus.Documents) {
		tb.Fatalf("%d rows, want %d", len(rows), len(corpus.Documents))
	}
	var b bytes.Buffer
	w, err := export.New(&b, export.Options{Format: format, Fields: session.AllFields(), Member: member, Modified: time.Unix(0, 0)})
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			tb.Error(err)
		}
	}()
	if err := w.Write(rows); err != nil {
		tb.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}
