package demo

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sampleReport() Report {
	rows := []ResultRow{
		{StartedAt: "2026-03-14T09:26:53.000Z", CompanyName: "Nordlicht 大阪", Name: "月島 さくら", MessengerType: "WEB", Status: "NEW"},
		{StartedAt: "2026-03-14T09:20:01.000Z", CompanyName: "Nordlicht Köln", Name: "<b>Zoë</b>", MessengerType: "SMS", Status: "CLOSED"},
	}
	return Report{
		URL: "http://127.0.0.1:8080", AdminURL: "http://127.0.0.1:9090", Data: "data", Sessions: 50_000,
		Cold: SearchResult{Count: 1234567, Rows: rows, CacheStatus: "scopegate-page; fwd=miss", Took: 12345 * time.Microsecond, TraceID: "c0ffee"},
		Warm: SearchResult{Count: 1234567, Rows: rows, CacheStatus: "scopegate-page; hit", Took: 600 * time.Microsecond},
	}
}

func TestTheReportNamesEverythingThereIsToTry(t *testing.T) {
	report := sampleReport()
	page, err := NewPage()
	if err != nil {
		t.Fatal(err)
	}
	if err := page.Show(report); err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	page.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	var text strings.Builder
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"月島 さくら", "1234567", "scopegate-page; fwd=miss", "scopegate-page; hit", "12.3 ms", "0.6 ms",
		"http://127.0.0.1:9090/debug/traces/c0ffee", "/docs", "curl -sG http://127.0.0.1:8080/api/v1/sessions",
	}
	for _, a := range Accounts() {
		want = append(want, a.Email, a.Password, a.CompanyName)
	}
	for name, got := range map[string]string{"the terminal": strings.ReplaceAll(text.String(), ",", ""), "the page": answer.Body.String()} {
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%s does not say %q:\n%s", name, part, got)
			}
		}
	}
	if strings.Contains(answer.Body.String(), "<b>") {
		t.Error("a name is HTML on the page")
	}
}

func TestThePageAsksNothingOfOtherOrigins(t *testing.T) {
	for _, loader := range []string{"src=", "@import", "url(", "<link", "<script"} {
		if strings.Contains(pageSource, loader) {
			t.Errorf("the page has %q", loader)
		}
	}
}

func TestThePageSaysThatItIsStartingUntilThereIsSomethingToShow(t *testing.T) {
	page, err := NewPage()
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	page.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" {
		t.Errorf("answers %d, %v", answer.Code, answer.Header())
	}
}

func TestTablesAlignByWhatATerminalShows(t *testing.T) {
	var b strings.Builder
	writeTable(&b, [][]string{{"月島", "x"}, {"abcde", "x"}, {"Zoe\u0308", "x"}, {"", "x"}})
	want := "  月島   x\n  abcde  x\n  Zoe\u0308    x\n         x\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNumbersAreGroupedByThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

// answers is a gateway that gives the answers in turn, the last again and
// again.
func answers(t *testing.T, list ...http.HandlerFunc) APIClient {
	t.Helper()
	var turn atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list[min(int(turn.Add(1)), len(list))-1](w, r)
	}))
	t.Cleanup(server.Close)
	return APIClient{Client: server.Client(), URL: server.URL}
}

func unavailable(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusServiceUnavailable)
}

func TestTheClientWaitsForAGatewayThatIsStarting(t *testing.T) {
	v := answers(t, unavailable, unavailable, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Status", "scopegate-page; fwd=miss")
		w.Header().Set("Traceresponse", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		_, _ = io.WriteString(w, `{"count":3,"items":[{"name":"`+r.Header.Get("Authorization")+`","whatsappPhone":null}]}`)
	})
	shown, err := v.Search(t.Context(), "token")
	if err != nil {
		t.Fatal(err)
	}
	shown.Took = 0
	want := SearchResult{
		Count: 3, Rows: []ResultRow{{Name: "Bearer token"}}, CacheStatus: "scopegate-page; fwd=miss",
		TraceID: "0af7651916cd43dd8448eb211c80319c",
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheClientGivesUpWhenItsTimeIsOver(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	v := answers(t, func(w http.ResponseWriter, r *http.Request) {
		unavailable(w, r)
		cancel()
	})
	if _, err := v.Search(ctx, "token"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestTheClientSaysWhatWentWrong(t *testing.T) {
	v := answers(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "scope is empty", http.StatusForbidden) })
	if _, err := v.Search(t.Context(), "token"); err == nil || !strings.Contains(err.Error(), "scope is empty") {
		t.Errorf("search: %v", err)
	}
	if _, err := v.Login(t.Context(), Supervisor()); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("login: %v", err)
	}
}

func TestImportLinesAreTheDirectoryFirstAndThenTheSessions(t *testing.T) {
	var out strings.Builder
	var progress []int
	err := NewGenerator(DefaultSeed, testNow).WriteNDJSON(t.Context(), &out, 7, func(done int) { progress = append(progress, done) })
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for line := range strings.Lines(out.String()) {
		var l struct {
			Type, Op string
			Doc      map[string]any
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if l.Op != "upsert" || len(l.Doc) == 0 {
			t.Errorf("line %s", line)
		}
		kinds = append(kinds, l.Type[:1])
	}
	if got := strings.Join(kinds, ""); !regexp.MustCompile(`^c{200}g{1}s{7}$`).MatchString(got) {
		t.Errorf("the lines are %s", got)
	}
	if progress[len(progress)-1] != 7 {
		t.Errorf("progress is %v, want 7 at the end", progress)
	}
}

type fullDisk struct{}

var errFull = errors.New("disk full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestImportLinesThatCannotBeWrittenAreAnError(t *testing.T) {
	for name, sessions := range map[string]int{"few": 1, "many": 1 << 40} {
		t.Run(name, func(t *testing.T) {
			err := NewGenerator(DefaultSeed, testNow).WriteNDJSON(t.Context(), fullDisk{}, sessions, nil)
			if !errors.Is(err, errFull) {
				t.Errorf("got %v, want %v", err, errFull)
			}
		})
	}
}
