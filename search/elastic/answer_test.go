package elastic

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// endless answers every request with bytes that never end, and counts them.
func endless(tb testing.TB, status int, begins string) (url string, sent *atomic.Int64) {
	tb.Helper()
	sent = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(begins))
		chunk := []byte(strings.Repeat("x", 64<<10))
		for r.Context().Err() == nil {
			n, err := w.Write(chunk)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}))
	tb.Cleanup(server.Close)
	return server.URL, sent
}

func TestNoAnswerIsReadWithoutEnd(t *testing.T) {
	t.Parallel()
	const page = 4 << 20
	scope := tenancytest.Scope(t, 7)
	few := search.Query{Sort: search.DefaultSort(), Limit: 10}
	id, _, _ := session.FieldByName("id")
	few.Fields = session.FieldSet{}.With(id)
	searches := func(q search.Query) func(*Store) error {
		return func(s *Store) error { _, err := s.Search(t.Context(), scope, q); return err }
	}
	for name, c := range map[string]struct {
		status int
		ask    func(*Store) error
		most   int64
		want   error
	}{
		"a page":                {200, searches(everything()), 2 * page, search.ErrPageTooLarge},
		"a page of one field":   {200, searches(few), 4 * page, search.ErrPageTooLarge},
		"a count":               {200, searches(search.Query{WithoutItems: true}), maxAnswer, search.ErrUnavailable},
		"a fault":               {503, searches(everything()), 2 * maxFault, search.ErrUnavailable},
		"readiness":             {200, func(s *Store) error { return s.Ping(t.Context()) }, maxAnswer, search.ErrUnavailable},
		"the directory":         {200, func(s *Store) error { _, err := s.Load(t.Context()); return err }, maxAnswer, search.ErrUnavailable},
		"a write":               {200, func(s *Store) error { _, err := s.Write(t.Context(), []session.Change{gone("x")}); return err }, maxAnswer, search.ErrUnavailable},
		"the directory's state": {200, func(s *Store) error { _, err := s.Version(t.Context()); return err }, maxAnswer, search.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, sent := endless(t, c.status, `{"hits":{"hits":[{"_source":{"id":"`)
			s, err := Open(t.Context(), Options{Addresses: []string{url}, MaxPageBytes: page})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			s.fits.known.Store(&checkedFitness{asked: time.Now().Add(time.Hour)})
			if err := c.ask(s); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			const buffers = 16 << 20 // buffers of the sockets
			if n := sent.Load(); n > c.most+buffers {
				t.Errorf("%d bytes were read, want at most %d", n, c.most)
			}
		})
	}
}

// rowsAnswer returns an answer with n rows, whose documents each have a text of
// size bytes.
func rowsAnswer(tb testing.TB, n, size int) string {
	tb.Helper()
	var rows []string
	for i := range n {
		given := values{"name": fmt.Sprint("name ", i), "lastOperatorMessage": strings.Repeat("x", size)}
		doc := newSession(tb, fmt.Sprintf("s%03d", i), 7, given)
		rows = append(rows, fmt.Sprintf(`{"_source":%s,"fields":{"companyId":[7]},"sort":[1,"s%03d"]}`, doc.JSON(), i))
	}
	return fmt.Sprintf(`{"took":1,"timed_out":false,"_shards":{"total":1,"failed":0},"hits":{"total":{"value":%d,"relation":"eq"},"hits":[%s]}}`,
		n, strings.Join(rows, ","))
}

func TestAPageThatHasMoreBytesThanItMayIsRefused(t *testing.T) {
	t.Parallel()
	const size, rows = 100_000, 100
	f := &fakeCluster{asked: map[string]int{}, bodies: map[string][]string{}}
	answers := map[bool]string{true: rowsAnswer(t, rows, size), false: rowsAnswer(t, rows, 0)}
	f.answer = func(r *http.Request, _ string, _ int) (int, string, error) {
		return http.StatusOK, answers[r.URL.Query().Get("_source_includes") == ""], nil
	}
	scope := tenancytest.Scope(t, 7)
	name, _, _ := session.FieldByName("name")
	for _, c := range []struct {
		what   string
		most   int64
		fields session.FieldSet
		asked  int
		want   error
	}{
		{"there is room", 12_000_000, session.AllFields(), 1, nil},
		{"the rows are a little too large", 9_900_000, session.AllFields(), 1, search.ErrPageTooLarge},
		{"they are far too large", 1_000_000, session.AllFields(), 1, search.ErrPageTooLarge},
		{"they are large, but not what is asked for", 1_000_000, session.FieldSet{}.With(name), 2, nil},
	} {
		s := openWith(t, Options{Addresses: []string{"http://elasticsearch.invalid:9200"}, Transport: f, MaxPageBytes: c.most})
		s.fits.known.Store(&checkedFitness{asked: time.Now().Add(time.Hour)})
		clear(f.asked)
		q := search.Query{Sort: search.DefaultSort(), Fields: c.fields, Limit: rows}
		got, err := s.Search(t.Context(), scope, q)
		if !errors.Is(err, c.want) || c.want == nil && len(got.Page.Rows) != rows {
			t.Errorf("%s: %d rows, error %v, want %v", c.what, len(got.Page.Rows), err, c.want)
		}
		if n := f.asked["/scopegate-sessions/_search"]; n != c.asked {
			t.Errorf("%s: asked %d times, want %d", c.what, n, c.asked)
		}
		for i, row := range got.Page.Rows {
			if want := fmt.Sprintf(`{"name":"name %d"}`, i); !c.fields.IsAll() && string(row.JSON) != want {
				t.Errorf("%s: row %s, want %s", c.what, row.JSON, want)
			}
		}
	}
}

// On a real Elasticsearch: rows with few fields equal those of whole documents, and
// the bytes of rows that a deep page skips do not count for the page.
func TestLargeDocumentsArePagedByFewFields(t *testing.T) {
	t.Parallel()
	s := openSessions(t, 1)
	var docs []session.Document
	for n := range 60 {
		docs = append(docs, newSession(t, fmt.Sprintf("s%03d", n), 7, values{
			"lastOperatorMessage": strings.Repeat("x", 100_000), "name": fmt.Sprint("name ", n), "clientMessageCount": n,
		}))
	}
	write(t, s, docs...)
	small := openWith(t, Options{Addresses: []string{address(t)}, Index: s.options.Index, MaxPageBytes: 1_000_000})
	small.limits.window, small.limits.anchorEvery = 30, 25
	scope := tenancytest.Scope(t, 7)
	var few session.FieldSet
	for _, name := range []string{"id", "name", "messageCount"} {
		i, _, _ := session.FieldByName(name)
		few = few.With(i)
	}
	order := []search.SortKey{{Field: "id"}}
	q := search.Query{Sort: order, Limit: 25, Fields: few}
	whole, err := s.Search(t.Context(), scope, q)
	if err != nil {
		t.Fatal(err)
	}
	got, err := small.Search(t.Context(), scope, q)
	if err != nil || len(got.Page.Rows) != 25 || got.Count.Total != 60 {
		t.Fatalf("%d rows of %d, error %v", len(got.Page.Rows), got.Count.Total, err)
	}
	for i, row := range got.Page.Rows {
		if string(row.JSON) != string(whole.Page.Rows[i].JSON) {
			t.Errorf("row %s, want %s", row.JSON, whole.Page.Rows[i].JSON)
		}
	}
	if _, err := small.Search(t.Context(), scope, search.Query{Sort: order, Limit: 25, Fields: session.AllFields()}); !errors.Is(err, search.ErrPageTooLarge) {
		t.Errorf("whole documents: error %v", err)
	}
	got, err = small.Search(t.Context(), scope, search.Query{Sort: order, Limit: 5, Offset: 40, Fields: session.AllFields()})
	if err != nil || strings.Join(ids(t, got.Page), " ") != "s040 s041 s042 s043 s044" || got.Count.Total != 60 {
		t.Errorf("far down: %v of %d, error %v", ids(t, got.Page), got.Count.Total, err)
	}
}
