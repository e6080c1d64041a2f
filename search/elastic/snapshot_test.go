package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// openContexts returns how many points in time Elasticsearch holds of the store's
// index.
func openContexts(tb testing.TB, s *Store) int {
	tb.Helper()
	var a struct {
		All struct {
			Total struct {
				Search struct {
					Open int `json:"open_contexts"`
				} `json:"search"`
			} `json:"total"`
		} `json:"_all"`
	}
	err := s.client.call(tb.Context(), esapi.IndicesStatsRequest{
		Index: []string{s.names(session.KindSession).read}, Metric: []string{"search"}, Instrument: s.client.instrument,
	}, &a)
	if err != nil {
		tb.Fatal(err)
	}
	return a.All.Total.Search.Open
}

// leftOpen returns openContexts after cancelled searches have ended.
func leftOpen(tb testing.TB, s *Store) int {
	tb.Helper()
	for range 100 {
		if openContexts(tb, s) == 0 {
			return 0
		}
		time.Sleep(10 * time.Millisecond)
	}
	return openContexts(tb, s)
}

func TestASnapshotHoldsNothingAfterwards(t *testing.T) {
	t.Parallel()
	s := filledDeep(t)
	scope := tenancytest.Scope(t, 7)
	for name, leave := range map[string]func(search.Snapshot) error{
		"unread": func(search.Snapshot) error { return nil },
		"midway": func(s search.Snapshot) error { _, err := s.Next(t.Context()); return err },
		"the caller goes away": func(s search.Snapshot) error {
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := s.Next(gone); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("error %w", err)
			}
			return nil
		},
		"at the end": func(s search.Snapshot) error { _, err := drain(t, s); return err },
	} {
		snapshot, err := s.Snapshot(t.Context(), scope, search.Query{Fields: session.AllFields()})
		if err != nil {
			t.Fatal(err)
		}
		if openContexts(t, s) == 0 {
			t.Errorf("%s: no point in time is open: the test is of no use", name)
		}
		if err := leave(snapshot); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := snapshot.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := leftOpen(t, s); n != 0 {
			t.Errorf("%s: %d points in time are open", name, n)
		}
	}
	if _, err := s.Snapshot(t.Context(), scope, search.Query{Offset: 5, Sort: []search.SortKey{{Field: "tags"}}}); err == nil || leftOpen(t, s) != 0 {
		t.Errorf("a refused snapshot: error %v, %d points in time are open", err, openContexts(t, s))
	}
}

// drain reads to the end and returns the ids.
func drain(tb testing.TB, s search.Snapshot) (all []string, err error) {
	tb.Helper()
	for {
		rows, err := s.Next(tb.Context())
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, ids(tb, search.Page{Rows: rows})...)
	}
}

func TestALostPointInTimeIsUnavailable(t *testing.T) {
	t.Parallel()
	s := filledDeep(t)
	p, err := newPlan(search.Query{Sort: search.NormalizeSort(nil), Fields: session.AllFields()})
	if err != nil {
		t.Fatal(err)
	}
	if p.query, err = scoped(tenancytest.Scope(t, 7), nil); err != nil {
		t.Fatal(err)
	}
	at, err := s.openPointInTime(t.Context(), s.names(session.KindSession).read)
	if err != nil {
		t.Fatal(err)
	}
	b, err := (&view{store: s, pit: at}).batches(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	into := &paging.Batch{}
	if err := b.Read(t.Context(), into); err != nil {
		t.Fatal(err)
	}
	s.closePointInTime(t.Context(), at)
	if err := b.Read(t.Context(), into); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("error %v, want %v", err, search.ErrUnavailable)
	}
}

func TestAPointInTimeStaysOpenWhileItsReaderTakesItsTime(t *testing.T) {
	notIndexed := make(chan string, 1000)
	answers := snapshotCluster(2, batchAnswer(`{"total":3,"failed":0}`, hitOf(t, "a"), hitOf(t, "b")))
	s, _ := openFake(t, func(r *http.Request, body string, nth int) (int, string, error) {
		if r.URL.Path == "/_search" && strings.Contains(body, `"size":0,"track_total_hits":false`) {
			notIndexed <- body
			return http.StatusOK, `{"took":1,"pit_id":"p3","_shards":{"failed":0}}`, nil
		}
		return answers(r, body, nth)
	})
	p, err := newPlan(search.Query{Sort: search.NormalizeSort(nil), Fields: session.AllFields()})
	if err != nil {
		t.Fatal(err)
	}
	if p.query, err = scoped(tenancytest.Scope(t, 7), nil); err != nil {
		t.Fatal(err)
	}
	b, err := (&view{store: s, pit: &pit{ID: "p1", KeepAlive: keepAlive}}).batches(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	b.keepEvery = time.Millisecond
	snapshot := paging.Prefetch(b.count, b)
	if rows, err := snapshot.Next(t.Context()); err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, id := range []string{"p2", "p3", "p3"} { // the latest id must be used
		if body := <-notIndexed; !strings.Contains(body, `"pit":{"id":"`+id+`","keep_alive":"1m"}`) || !strings.Contains(body, "companyId") {
			t.Errorf("asked %s", body)
		}
	}
	if err := snapshot.Close(); err != nil {
		t.Error(err)
	}
}

const (
	pitAnswer   = `{"id":"p1"}`
	countAnswer = `{"took":1,"pit_id":"p1","_shards":{"total":3,"failed":0},"hits":{"total":{"value":%d,"relation":"eq"},"hits":[]}}`
)

// snapshotCluster answers with the given count, and with the batches in turn.
func snapshotCluster(count int, batches ...string) func(*http.Request, string, int) (int, string, error) {
	return func(r *http.Request, _ string, nth int) (int, string, error) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/_pit"):
			return http.StatusOK, pitAnswer, nil
		case nth == 1:
			return http.StatusOK, fmt.Sprintf(countAnswer, count), nil
		case nth-2 < len(batches):
			return http.StatusOK, batches[nth-2], nil
		}
		return http.StatusOK, fmt.Sprintf(countAnswer, count), nil
	}
}

func hitOf(tb testing.TB, id string) string {
	tb.Helper()
	return fmt.Sprintf(`{"_index":"x","_id":%q,"_score":null,"_source":%s,"fields":{"companyId":[7]},"sort":[%q,3]}`,
		id, newSession(tb, id, 7, nil).JSON(), id)
}

func batchAnswer(shards string, hits ...string) string {
	return `{"pit_id":"p2","took":1,"timed_out":false,"_shards":` + shards + `,"hits":{"max_score":null,"hits":[` + strings.Join(hits, ",") + `]}}`
}

func TestASnapshotThatIsNotWholeIsAnError(t *testing.T) {
	const fine = `{"total":3,"failed":0}`
	for name, c := range map[string]struct {
		answer string
		want   error
	}{
		"a shard failed":          {batchAnswer(`{"total":3,"failed":1}`, hitOf(t, "a")), search.ErrUnavailable},
		"the time was up":         {strings.Replace(batchAnswer(fine), "false", "true", 1), search.ErrTimeout},
		"fewer rows than counted": {batchAnswer(fine, hitOf(t, "a")), search.ErrUnavailable},
		"no rows":                 {batchAnswer(fine), search.ErrUnavailable},
		"no JSON":                 {planted, search.ErrUnavailable},
		"cut short":               {batchAnswer(fine, hitOf(t, "a"))[:300], search.ErrUnavailable},
		"no company":              {strings.Replace(batchAnswer(fine, hitOf(t, "a")), "[7]", "[]", 1), search.ErrUnavailable},
		"no sort values":          {strings.Replace(batchAnswer(fine, hitOf(t, "a")), `["a",3]`, "[]", 1), search.ErrUnavailable},
		"whole":                   {batchAnswer(fine, hitOf(t, "a"), hitOf(t, "b")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, f := openFake(t, snapshotCluster(2, c.answer))
			snapshot, err := s.Snapshot(t.Context(), tenancytest.Scope(t, 7), search.Query{Fields: session.AllFields()})
			if err != nil {
				t.Fatal(err)
			}
			_, err = drain(t, snapshot)
			if !errors.Is(err, c.want) || err != nil && strings.Contains(err.Error(), planted) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if err := snapshot.Close(); err != nil {
				t.Error(err)
			}
			for _, body := range f.bodies["/_search"] {
				if !json.Valid([]byte(body)) || !strings.Contains(body, `{"terms":{"companyId":[7]}}`) || !strings.Contains(body, `"keep_alive":"1m"`) {
					t.Errorf("asked %s", body)
				}
			}
			if closed := f.bodies["/_pit"]; len(closed) != 1 {
				t.Errorf("points in time closed: %q", closed)
			}
		})
	}
}

// overtaking delays every other search until the next one has been answered.
type overtaking struct {
	http.Transport

	searches, under atomic.Int64
	most            atomic.Int64 // largest number of concurrent searches
}

func (o *overtaking) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/_search") {
		return o.Transport.RoundTrip(r)
	}
	defer o.under.Add(-1)
	now := o.under.Add(1)
	for most := o.most.Load(); now > most && !o.most.CompareAndSwap(most, now); most = o.most.Load() {
	}
	if o.searches.Add(1)%2 == 0 {
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return o.Transport.RoundTrip(r)
}

func TestRangesOfIDsComeInOrderHoweverTheyAreAnswered(t *testing.T) {
	t.Parallel()
	s := filledDeep(t)
	transport := &overtaking{}
	t.Cleanup(transport.CloseIdleConnections)
	overtaken := openWith(t, Options{Addresses: []string{address(t)}, Index: s.options.Index, Transport: transport})
	overtaken.limits.sampleRows, overtaken.limits.firstRows, overtaken.limits.batchRows = 4, 7, 30
	all := make([]string, deepSessions)
	for n := range all {
		all[n] = fmt.Sprintf("deep-%04d", n)
	}
	down := slices.Clone(all)
	slices.Reverse(down)
	byID := []search.SortKey{{Field: "id"}}
	for name, c := range map[string]struct {
		query search.Query
		want  []string
	}{
		"as they come":        {search.Query{}, all},
		"downwards":           {search.Query{Sort: []search.SortKey{{Field: "id", Desc: true}}}, down},
		"behind a row":        {search.Query{Sort: byID, After: &search.Position{Values: []json.RawMessage{[]byte(`"deep-0123"`)}}}, all[124:]},
		"some of them":        {search.Query{Sort: byID, Limit: 250}, all[:250]},
		"some further behind": {search.Query{Sort: byID, Offset: 77, Limit: 250}, all[77:327]},
	} {
		t.Run(name, func(t *testing.T) {
			c.query.Fields = session.AllFields()
			snapshot, err := overtaken.Snapshot(t.Context(), tenancytest.Scope(t, 7), c.query)
			if err != nil {
				t.Fatal(err)
			}
			got, err := drain(t, snapshot)
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
			if err := snapshot.Close(); err != nil {
				t.Error(err)
			}
			if n := leftOpen(t, s); n != 0 {
				t.Errorf("%d points in time are open", n)
			}
		})
	}
	if most := transport.most.Load(); most != maxInFlight {
		t.Errorf("%d searches at once, want %d", most, maxInFlight)
	}
}

// A batch that turns out too large is requested again in smaller parts.
func TestRowsOfAnySizeComeWhole(t *testing.T) {
	t.Parallel()
	s := openSessions(t, 1)
	s.limits.batchBytes, s.limits.maxBytes, s.limits.firstRows = 20_000, 60_000, 4
	var want []string
	var docs []session.Document
	for n := range 60 {
		id, size := fmt.Sprintf("s%03d", n), 10
		if n > 30 {
			size = 50_000 * (n % 3)
		}
		want = append(want, id)
		docs = append(docs, newSession(t, id, 7, values{"lastOperatorMessage": strings.Repeat("x", size)}))
	}
	write(t, s, docs...)
	snapshot, err := s.Snapshot(t.Context(), tenancytest.Scope(t, 7), search.Query{Fields: session.AllFields()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = snapshot.Close() }()
	got, err := drain(t, snapshot)
	if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%d sessions, error %v: %v", len(got), err, got)
	}
}
