package elastic

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestABusyElasticsearchIsAskedAgainForWhatItTurnedAway(t *testing.T) {
	s, f := openFake(t, func(_ *http.Request, body string, nth int) (int, string, error) {
		switch nth {
		case 1:
			return http.StatusTooManyRequests, `{}`, nil
		case 2: // every other one
			return http.StatusOK, items(body, func(line int, _ string) int {
				return []int{http.StatusOK, http.StatusTooManyRequests}[line%2]
			}), nil
		}
		return http.StatusOK, items(body, func(int, string) int { return http.StatusOK }), nil
	})
	changes := []session.Change{gone("a"), gone("b"), gone("c"), gone("d")}
	written, err := s.Write(t.Context(), changes)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(session.Written{Deleted: 4}, written); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	var sent []int
	for _, body := range f.bodies["/_bulk"] {
		sent = append(sent, strings.Count(body, "\n"))
	}
	if diff := cmp.Diff([]int{4, 4, 2}, sent); diff != "" {
		t.Errorf("operations sent (-want +got):\n%s", diff)
	}
}

func TestARefusedDocumentFailsTheWriteWithoutItsText(t *testing.T) {
	s, f := openFake(t, func(_ *http.Request, body string, _ int) (int, string, error) {
		return http.StatusOK, items(body, func(line int, _ string) int {
			return []int{http.StatusOK, http.StatusBadRequest}[line%2]
		}), nil
	})
	_, err := s.Write(t.Context(), upserts(newSession(t, "a", 1, nil), newSession(t, "b", 1, nil)))
	var refused *session.RefusedError
	if !errors.As(err, &refused) || errors.Is(err, search.ErrUnavailable) || strings.Contains(err.Error()+refused.Refused[0].Reason, "secret") {
		t.Errorf("error %v, want one that is final and quotes nothing", err)
	}
	if f.asked["/_bulk"] != 1 {
		t.Errorf("asked %d times, want once", f.asked["/_bulk"])
	}
}

// A proxy may accept smaller requests than Elasticsearch does.
func TestARequestThatIsTooLargeIsDividedAndADocumentThatIsTooLargeIsRefused(t *testing.T) {
	const most = 5000
	s, f := openFake(t, func(_ *http.Request, body string, _ int) (int, string, error) {
		if len(body) > most {
			return http.StatusRequestEntityTooLarge, "<html>", nil
		}
		return http.StatusOK, items(body, func(int, string) int { return http.StatusOK }), nil
	})
	large := values{"purpose": strings.Repeat("x", most)}
	var docs []session.Document
	for i := range 20 {
		given := values{}
		if i == 0 || i == 12 {
			given = large
		}
		docs = append(docs, newSession(t, strconv.Itoa(i), 1, given))
	}
	written, err := s.Write(t.Context(), upserts(docs...))
	var refused *session.RefusedError
	if !errors.As(err, &refused) || len(refused.Refused) != 2 || refused.Refused[0].Change != 0 || refused.Refused[1].Change != 12 {
		t.Fatalf("error %v, want refusals of two", err)
	}
	if diff := cmp.Diff(session.Written{Upserted: 18}, written); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	stored := 0
	for _, body := range f.bodies["/_bulk"] {
		if len(body) <= most {
			stored += strings.Count(body, "\n") / 2
		}
	}
	if stored != 18 {
		t.Errorf("%d documents are stored, want 18, each once", stored)
	}
}

func TestAnAnswerForOtherOperationsIsNoSuccess(t *testing.T) {
	for name, answer := range map[string]string{
		"fewer":        `{"items":[]}`,
		"another verb": `{"items":[{"index":{"status":200,"result":"created"}}]}`,
		"nothing":      `{}`,
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := openFake(t, always(http.StatusOK, answer))
			if _, err := s.Write(t.Context(), []session.Change{gone("a")}); !errors.Is(err, search.ErrUnavailable) {
				t.Errorf("error %v, want %v", err, search.ErrUnavailable)
			}
		})
	}
}

func TestRoundsAndPortions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &Store{options: Options{Workers: rapid.IntRange(1, 4).Draw(t, "workers")}, limits: limits{
			bulkBytes: rapid.IntRange(1, 500).Draw(t, "bytes"), bulkLines: rapid.IntRange(1, 5).Draw(t, "lines"),
		}}
		ops := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 9), func(n int) operation {
			return operation{place: place{index: "index", id: strconv.Itoa(n)}, source: make([]byte, n*20)}
		}), 1, 30).Draw(t, "operations")
		var again []string
		for _, round := range rounds(ops) {
			seen := map[string]bool{}
			for _, portion := range s.portions(round) {
				size := 0
				for i, op := range portion {
					if seen[op.id] {
						t.Fatalf("document %s twice in a round", op.id)
					}
					if size += op.size(); i > 0 && size > s.limits.bulkBytes {
						t.Fatalf("a portion of %d bytes, most are %d", size, s.limits.bulkBytes)
					}
					seen[op.id] = true
					again = append(again, op.id)
				}
				if len(portion) == 0 {
					t.Fatal("an empty portion")
				}
			}
		}
		var given []string
		for _, op := range ops {
			given = append(given, op.id)
		}
		if diff := cmp.Diff(given, again); diff != "" {
			t.Fatalf("together they are not the batch (-want +got):\n%s", diff)
		}
	})
}

func TestAnImportIsSearchableFromItsRefreshOn(t *testing.T) {
	t.Parallel()
	s := openWith(t, Options{Addresses: []string{address(t)}, Index: uniqueName(t), RefreshInterval: time.Hour})
	if _, err := s.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	scope := tenancytest.Scope(t, 7)
	count := func() int64 {
		t.Helper()
		result, err := s.Search(t.Context(), scope, search.Query{WithoutItems: true})
		if err != nil {
			t.Fatal(err)
		}
		return result.Count.Total
	}
	importer := s.Importer()
	write(t, importer, newSession(t, "a", 7, nil), newSession(t, "b", 7, nil))
	if n := count(); n != 0 {
		t.Errorf("before the refresh: %d sessions, want 0", n)
	}
	if err := importer.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 2 {
		t.Errorf("after the refresh: %d sessions, want 2", n)
	}
}

func TestWritesWithoutAnIndexMakeNone(t *testing.T) {
	t.Parallel()
	s := openBare(t, 1)
	changes := upserts(newSession(t, "a", 7, nil))
	if _, err := s.Write(t.Context(), changes); !errors.Is(err, ErrNoIndex) {
		t.Errorf("error %v, want %v", err, ErrNoIndex)
	}
	s.fits.known.Store(&checkedFitness{asked: time.Now().Add(time.Hour)}) // the index was deleted afterwards
	if _, err := s.Write(t.Context(), changes); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("error %v, want %v", err, search.ErrUnavailable)
	}
	status, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range status.Indices {
		if index.Index != "" {
			t.Errorf("%s has come to be", index.Index)
		}
	}
}

// Elasticsearch blocks an index when its disk gets full.
func TestAFullDiskOfElasticsearchIsCalledThat(t *testing.T) {
	const block = `"type":"cluster_block_exception","reason":"index [x] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark]"`
	for name, answer := range map[string]struct {
		status int
		body   string
	}{
		"of a request":  {http.StatusTooManyRequests, `{"error":{` + block + `},"status":429}`},
		"of a document": {http.StatusOK, `{"items":[{"index":{"status":429,"error":{` + block + `}}}]}`},
		"by hand":       {http.StatusForbidden, `{"error":{` + block + `},"status":403}`},
	} {
		s, f := openFake(t, always(answer.status, answer.body))
		_, err := s.Importer().Write(t.Context(), upserts(newSession(t, "a", 1, nil)))
		if !errors.Is(err, errBlocked) || !errors.Is(err, search.ErrUnavailable) || !strings.Contains(err.Error(), "disk") {
			t.Errorf("%s: %v", name, err)
		}
		if n := f.asked["/_bulk"]; n != 1 {
			t.Errorf("%s: %d bulk requests", name, n)
		}
	}
	// A starting cluster blocks too.
	s, _ := openFake(t, always(http.StatusServiceUnavailable, `{"error":{"type":"cluster_block_exception","reason":"state not recovered"},"status":503}`))
	if _, err := s.Search(t.Context(), tenancytest.Scope(t, 1), search.Query{Limit: 1}); errors.Is(err, errBlocked) || !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("a cluster that is starting: %v", err)
	}
}
