package gateway

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/audit"
	"github.com/scopegate/scopegate/gateway/httpserver"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// Ids of the stage by company, in order.
var (
	ownIDs        = []string{"s100", "s104", "s108", "s112", "s116", "s120", "s124", "s128"}
	supervisedIDs = idsWithout(3)
)

func idsWithout(rest int) []string {
	var ids []string
	for i := range 32 {
		if i%4 != rest {
			ids = append(ids, fmt.Sprintf("s%d", 100+i))
		}
	}
	return ids
}

func TestAnExportIsEverythingThatMatches(t *testing.T) {
	s := newExportStage(t, Exports{})
	all := strings.Join(supervisedIDs, "\r\n") + "\r\n"
	tests := map[string]struct {
		target, want string
		rows         int
	}{
		"CSV by default":  {"fields=id&showAllSupervised=true", "id\r\n" + all, 24},
		"the own company": {"fields=id", "id\r\n" + strings.Join(ownIDs, "\r\n") + "\r\n", 8},
		"for Excel":       {"fields=id&showAllSupervised=true&format=CSV_EXCEL", "\uFEFFid\r\n\"" + strings.Join(supervisedIDs, "\"\r\n\"") + "\"\r\n", 24},
		"NDJSON":          {"fields=id&limit=2&format=NDJSON", "{\"id\":\"s100\"}\n{\"id\":\"s104\"}\n", 2},
		"JSON":            {"fields=id&limit=1&format=JSON", `{"count":8,"items":[{"id":"s100"}]}`, 1},
		"behind an id":    {"fields=id&resumeAfter=s124", "id\r\ns128\r\n", 1},
		"behind the last": {"fields=id&resumeAfter=s999&format=NDJSON", "", 0},
		"behind an order": {"fields=id&sort=id&resumeAfter=s120", "id\r\ns124\r\ns128\r\n", 2},
		"from a place on": {"fields=id&offset=6", "id\r\ns124\r\ns128\r\n", 2},
		"a company below": {"fields=id&companyId=3&limit=1", "id\r\ns101\r\n", 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := s.get(t, "/api/v1/sessions/export?"+test.target, s.supervisor(t))
			if r.StatusCode != http.StatusOK || string(r.body) != test.want {
				t.Errorf("%d, %q, want %q", r.StatusCode, r.body, test.want)
			}
			total := "8"
			if strings.Contains(test.target, "showAll") {
				total = "24"
			}
			if r.Header.Get("X-Total-Count") != total || r.Trailer.Get("X-Row-Count") != strconv.Itoa(test.rows) {
				t.Errorf("total %q, rows %q", r.Header.Get("X-Total-Count"), r.Trailer)
			}
			if r.Header.Get("ETag") != "" || r.Header.Get("Link") != "" || !strings.HasPrefix(r.Header.Get("Content-Disposition"), "attachment; filename=") {
				t.Errorf("headers %v", r.Header)
			}
			checkEveryHeader(t, r)
		})
	}
	if open := s.snapshots.open.Load(); open != 0 {
		t.Errorf("%d snapshots are open", open)
	}
}

func TestAnExportByBodyIsThatOfTheURL(t *testing.T) {
	s := newExportStage(t, Exports{})
	r := s.post(t, "/api/v1/sessions/export", s.supervisor(t), `{"fields": ["id"], "companyId": 3, "format": "NDJSON", "limit": 1}`)
	if string(r.body) != "{\"id\":\"s101\"}\n" || r.Trailer.Get("X-Row-Count") != "1" {
		t.Errorf("%s %v", r.body, r.Trailer)
	}
	if p := s.post(t, "/api/v1/sessions/export?limit=1", s.supervisor(t), `{}`).problem(t, 400); p.Details[0].Parameter != "limit" {
		t.Errorf("%+v", p)
	}
}

func TestAnExportCanBeAZip(t *testing.T) {
	s := newExportStage(t, Exports{})
	for _, format := range []string{"JSON", "NDJSON", "CSV", "CSV_EXCEL", "XLSX"} {
		r := s.get(t, "/api/v1/sessions/export?fields=id&zip=true&filename=week&format="+format, s.supervisor(t), "Accept-Encoding", "gzip")
		archive, err := zip.NewReader(bytes.NewReader(r.body), int64(len(r.body)))
		if err != nil || len(archive.File) != 1 || !strings.HasPrefix(archive.File[0].Name, "week.") {
			t.Fatalf("%s: %v, %v", format, archive, err)
		}
		if r.Header.Get("Content-Type") != "application/zip" || r.Header.Get("Content-Encoding") != "" || r.Trailer.Get("X-Row-Count") != "8" {
			t.Errorf("%s: %v %v", format, r.Header, r.Trailer)
		}
		if cut := r.Trailer.Get("X-Truncated-Cells"); (cut == "0") != (format == "XLSX") {
			t.Errorf("%s: %q cells cut", format, cut)
		}
	}
}

func TestAnExportIsCompressedWhenAskedFor(t *testing.T) {
	s := newExportStage(t, Exports{})
	r := s.get(t, "/api/v1/sessions/export?fields=id&format=NDJSON", s.supervisor(t), "Accept-Encoding", "gzip")
	plain, err := gunzip(r.body)
	if r.Header.Get("Content-Encoding") != "gzip" || err != nil || strings.Count(plain, "\n") != 8 || r.Trailer.Get("X-Row-Count") != "8" {
		t.Errorf("%v %v %q %v", r.Header, r.Trailer, plain, err)
	}
}

func TestParametersOfAnExportAreChecked(t *testing.T) {
	s := newExportStage(t, Exports{MaxRows: 20})
	for target, want := range map[string]string{
		"withoutCount=true": "withoutCount", "withoutItems=false": "withoutItems", "page=0": "page", "cursor=a": "cursor",
		"limit=0": "limit", "limit=21": "limit", "format=PDF": "format", "resumeAfter=": "resumeAfter", "timezone=900": "timezone",
		"resumeAfter=a&sort=name": "resumeAfter", "resumeAfter=a&offset=1": "resumeAfter",
		"resumeAfter=a&sort=id&offsetField=id&offsetValue=a": "resumeAfter",
		"offsetField=started_at&offsetValue=1":               "offsetField", "colour=1": "colour",
		"showAllSupervised=true": "limit", // 24 sessions
	} {
		p := s.get(t, "/api/v1/sessions/export?fields=id&"+target, s.supervisor(t)).problem(t, 400)
		if len(p.Details) != 1 || p.Details[0].Parameter != want {
			t.Errorf("%s: %+v", target, p.Details)
		}
		if want == "limit" && target[0] == 's' && (!strings.Contains(p.Detail, "24 sessions match") || !strings.Contains(p.Detail, "20 rows")) {
			t.Errorf("over the cap: %s", p.Detail)
		}
	}
	if open := s.snapshots.open.Load(); open != 0 {
		t.Errorf("%d snapshots are open", open)
	}
	for _, target := range []string{"showAllSupervised=true&limit=20", "showAllSupervised=true&offset=4"} {
		if r := s.get(t, "/api/v1/sessions/export?fields=id&"+target, s.supervisor(t)); r.StatusCode != http.StatusOK || r.Trailer.Get("X-Row-Count") != "20" {
			t.Errorf("%s: %d %v", target, r.StatusCode, r.Trailer)
		}
	}
}

func TestAnExportIsOfTheCallersScopeOnly(t *testing.T) {
	s := newExportStage(t, Exports{})
	if r := s.get(t, "/api/v1/sessions/export", ""); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %d", r.StatusCode)
	}
	s.get(t, "/api/v1/sessions/export?companyId=20", s.supervisor(t)).problem(t, 403)
	s.get(t, "/api/v1/sessions/export?showAllSupervised=true", s.agent(t)).problem(t, 403)
}

func TestTheHeadersOfAnExportAloneReadNothing(t *testing.T) {
	s := newExportStage(t, Exports{}, func(s *exportStage, _ *Options) {
		s.snapshots.before = func(context.Context, int) error { return errors.New("was read") }
	})
	r := s.do(t, http.MethodHead, "/api/v1/sessions/export?fields=id", s.supervisor(t), "")
	if r.StatusCode != http.StatusOK || r.Header.Get("X-Total-Count") != "8" || len(r.body) != 0 {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	if lines := s.audit.all(); len(lines) != 0 {
		t.Errorf("recorded %v", lines)
	}
}

// TestWhatFailsBeforeTheFirstByteHasAnAnswer, whatever the format.
func TestWhatFailsBeforeTheFirstByteHasAnAnswer(t *testing.T) {
	for want, err := range map[int]error{503: search.ErrUnavailable, 504: search.ErrTimeout, 500: search.ErrForeignRow} {
		s := newExportStage(t, Exports{}, func(s *exportStage, _ *Options) {
			s.snapshots.before = func(context.Context, int) error { return err }
		})
		for _, format := range []string{"JSON", "NDJSON", "CSV", "XLSX", "CSV&zip=true"} {
			r := s.get(t, "/api/v1/sessions/export?fields=id&format="+format, s.supervisor(t), "Accept-Encoding", "gzip")
			r.problem(t, want)
			if r.Header.Get("Content-Disposition") != "" || r.Header.Get("Content-Encoding") != "" || r.Trailer != nil {
				t.Errorf("%s: %v", format, r.Header)
			}
		}
	}
}

// TestWhatFailsMidwayIsABrokenTransfer: no format ends as if it were complete.
func TestWhatFailsMidwayIsABrokenTransfer(t *testing.T) {
	broken := map[string]func(s *exportStage){
		"engine down": func(s *exportStage) { s.snapshots.before = failAt(2, search.ErrUnavailable) },
		"engine panics": func(s *exportStage) {
			s.snapshots.before = func(_ context.Context, batch int) error {
				if batch == 2 {
					panic("engine")
				}
				return nil
			}
		},
		"foreign row": func(s *exportStage) {
			s.snapshots.spoil = func(rows []search.Row) []search.Row {
				if string(rows[0].JSON) == `{"id":"s116"}` || string(rows[0].JSON) == `{"id":"s124"}` {
					rows[0].CompanyID = foreignCompany
				}
				return rows
			}
		},
		"row of other fields": func(s *exportStage) {
			s.snapshots.spoil = func(rows []search.Row) []search.Row {
				if string(rows[0].JSON) == `{"id":"s112"}` {
					rows[0].JSON = []byte(`{"name":"x"`)
				}
				return rows
			}
		},
		"rows missing":       func(s *exportStage) { s.snapshots.spoil = func(rows []search.Row) []search.Row { return rows[:1] } },
		"record not written": func(s *exportStage) { s.audit.err = errors.New("disk full") },
	}
	for name, breakIt := range broken {
		t.Run(name, func(t *testing.T) {
			s := newExportStage(t, Exports{}, func(s *exportStage, _ *Options) { breakIt(s) })
			for _, format := range []string{"JSON", "NDJSON", "CSV", "CSV_EXCEL", "CSV&zip=true", "NDJSON&gzip"} {
				coding := "identity"
				if rest, ok := strings.CutSuffix(format, "&gzip"); ok {
					format, coding = rest, "gzip"
				}
				if name == "row of other fields" && !strings.HasPrefix(format, "CSV") {
					continue // passed on as they are
				}
				_, answer := s.raw(t, "/api/v1/sessions/export?fields=id&format="+format, s.supervisor(t), "1.1", "Accept-Encoding: "+coding+"\r\n")
				response, err := http.ReadResponse(answer, nil)
				if err != nil {
					t.Fatal(err)
				}
				body, err := readAll(response)
				if response.StatusCode == http.StatusOK && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%s: came as %q, %v, trailer %v", format, body, err, response.Trailer)
				}
				if response.StatusCode != http.StatusOK && format != "CSV&zip=true" {
					t.Errorf("%s: %d %s", format, response.StatusCode, body)
				}
				if response.Trailer.Get("X-Row-Count") != "" {
					t.Errorf("%s: trailer %v", format, response.Trailer)
				}
			}
			eventually(t, func() bool { return s.snapshots.open.Load() == 0 })
			for _, event := range s.audit.all() {
				if event.Outcome != audit.Failed && s.audit.err == nil {
					t.Errorf("recorded as %s", event.Outcome)
				}
			}
		})
	}
}

func failAt(batch int, err error) func(context.Context, int) error {
	return func(_ context.Context, now int) error {
		if now == batch {
			return err
		}
		return nil
	}
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for range 500 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("it has not come to be")
}

func TestAnExportNeedsAProtocolThatShowsABrokenTransfer(t *testing.T) {
	s := newExportStage(t, Exports{})
	_, answer := s.raw(t, "/api/v1/sessions/export?fields=id", s.supervisor(t), "1.0")
	response, err := http.ReadResponse(answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it is only read
	if response.StatusCode != http.StatusHTTPVersionNotSupported {
		t.Errorf("answered with %s", response.Status)
	}
}

func TestAReaderThatGoesAwayFreesTheSnapshot(t *testing.T) {
	for _, format := range []string{"NDJSON", "XLSX"} {
		t.Run(format, func(t *testing.T) {
			reading := make(chan struct{})
			s := newExportStage(t, Exports{}, func(s *exportStage, _ *Options) {
				s.snapshots.before = func(ctx context.Context, batch int) error {
					if batch == 2 {
						close(reading)
						<-ctx.Done() // an engine that takes its time
						return ctx.Err()
					}
					return nil
				}
			})
			conn, _ := s.raw(t, "/api/v1/sessions/export?fields=id&format="+format, s.supervisor(t), "1.1")
			<-reading
			_ = conn.Close()
			eventually(t, func() bool { return s.snapshots.open.Load() == 0 })
			eventually(t, func() bool { return len(s.audit.all()) == 1 })
			if event := s.audit.all()[0]; event.Outcome != audit.Failed {
				t.Errorf("recorded as %s", event.Outcome)
			}
		})
	}
}

func TestAReaderThatDoesNotReadIsCutOff(t *testing.T) {
	s := newExportStage(t, Exports{StallTimeout: 100 * time.Millisecond}, func(s *exportStage, _ *Options) {
		s.snapshots.sessions = manySessions(400_000)
	})
	s.raw(t, "/api/v1/sessions/export?fields=id&format=NDJSON", s.supervisor(t), "1.1")
	eventually(t, func() bool { return s.snapshots.open.Load() == 0 && len(s.audit.all()) == 1 })
	if code := detail(s.audit.all()[0], "error"); code != "reader_too_slow" {
		t.Errorf("recorded with the error %v", code)
	}
}

func TestAnExportHasAnEndInTime(t *testing.T) {
	s := newExportStage(t, Exports{MaxDuration: 50 * time.Millisecond}, func(s *exportStage, _ *Options) {
		s.snapshots.before = func(ctx context.Context, batch int) error {
			if batch < 2 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}
	})
	_, answer := s.raw(t, "/api/v1/sessions/export?fields=id", s.supervisor(t), "1.1")
	response, err := http.ReadResponse(answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := readAll(response); err == nil {
		t.Errorf("came whole: %q", body)
	}
	eventually(t, func() bool { return len(s.audit.all()) == 1 })
	if code := detail(s.audit.all()[0], "error"); code != "export_timeout" {
		t.Errorf("recorded with the error %v", code)
	}
}

// TestAnExportOutlivesTheTimesOfRequests: those of the server and of the API.
func TestAnExportOutlivesTheTimesOfRequests(t *testing.T) {
	snapshots := &memorySnapshots{sessions: stageSessions(), before: func(ctx context.Context, batch int) error {
		if batch > 2 {
			return nil
		}
		select {
		case <-time.After(150 * time.Millisecond):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	s, address := serveStage(t, httpserver.Options{ReadTimeout: 100 * time.Millisecond, WriteTimeout: 100 * time.Millisecond}, func(o *Options) {
		o.Snapshotter, o.RequestTimeout = snapshots, 100*time.Millisecond
	})
	s.url = "http://" + address
	for _, format := range []string{"NDJSON", "XLSX"} {
		r := s.get(t, "/api/v1/sessions/export?fields=id&format="+format, s.supervisor(t))
		if r.StatusCode != http.StatusOK || r.Trailer.Get("X-Row-Count") != "8" {
			t.Errorf("%s: %d %v %.200s", format, r.StatusCode, r.Trailer, r.body)
		}
	}
}

func TestExportsAtOnceAreBounded(t *testing.T) {
	release := make(chan struct{})
	s := newExportStage(t, Exports{AtOnce: 3, PerAccount: 2}, func(s *exportStage, _ *Options) {
		s.snapshots.before = func(ctx context.Context, _ int) error {
			select {
			case <-release:
			case <-ctx.Done():
			}
			return nil
		}
	})
	const target = "/api/v1/sessions/export?fields=id"
	run := make(chan int, 3)
	start := func(token string, running int32) {
		go func() { run <- s.get(t, target, token).StatusCode }()
		eventually(t, func() bool { return s.snapshots.open.Load() == running })
	}
	start(s.supervisor(t), 1)
	start(s.supervisor(t), 2)
	r := s.get(t, target, s.supervisor(t))
	if p := r.problem(t, 429); r.Header.Get("Retry-After") == "" || !strings.Contains(p.Detail, "exports") {
		t.Errorf("a third of the account: %v %+v", r.Header, p)
	}
	start(s.agent(t), 3)
	other := s.issuer.Token(t, tenancytest.Claims{Company: ownCompany, Subject: "another"})
	s.get(t, target, other).problem(t, 429)
	close(release)
	for range 3 {
		if status := <-run; status != 200 {
			t.Errorf("one that ran ended with %d", status)
		}
	}
	eventually(t, func() bool { return s.get(t, target, other).StatusCode == http.StatusOK })
	refused := 0
	for _, event := range s.audit.all() {
		if event.Outcome == audit.Refused {
			refused++
		}
	}
	if refused != 2 {
		t.Errorf("%d are recorded as refused", refused)
	}
}

func TestAScopeThatIsLostBreaksTheExportOff(t *testing.T) {
	for name, lose := range map[string]func(s *exportStage, v *memoVerifier){
		"a company": func(s *exportStage, _ *memoVerifier) {
			records := stageRecords(s.issuer.URL())
			records.Grants = nil
			s.source.Set(records)
			eventually(t, func() bool {
				return s.get(t, "/api/v1/sessions?companyId=10", s.supervisor(t)).StatusCode == http.StatusForbidden
			})
		},
		"the token": func(_ *exportStage, v *memoVerifier) { v.fromMemo(tenancy.ErrTokenRevoked) },
	} {
		t.Run(name, func(t *testing.T) {
			verifier := &memoVerifier{}
			reached, lost := make(chan struct{}), make(chan struct{})
			s := newExportStage(t, Exports{RecheckEvery: time.Millisecond}, func(s *exportStage, o *Options) {
				verifier.TokenVerifier = o.Verifier
				o.Verifier = verifier
				s.snapshots.before = func(ctx context.Context, batch int) error {
					if batch == 3 {
						close(reached)
						select {
						case <-lost:
						case <-ctx.Done():
						}
					}
					if batch > 3 {
						time.Sleep(5 * time.Millisecond)
					}
					return nil
				}
			})
			_, answer := s.raw(t, "/api/v1/sessions/export?fields=id&showAllSupervised=true", s.supervisor(t), "1.1")
			<-reached
			lose(s, verifier)
			close(lost)
			response, err := http.ReadResponse(answer, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := readAll(response); err == nil {
				t.Errorf("came whole: %q", body)
			}
		})
	}
}

func TestATokenThatExpiresDoesNotEndAnExport(t *testing.T) {
	// Its leeway is that of the verifier; what is asked anew does not look at it.
	verifier := &memoVerifier{}
	s := newExportStage(t, Exports{RecheckEvery: time.Nanosecond}, func(s *exportStage, o *Options) {
		verifier.TokenVerifier = o.Verifier
		o.Verifier = verifier
		s.snapshots.before = func(_ context.Context, batch int) error {
			if batch == 1 {
				verifier.expire()
			}
			return nil
		}
	})
	r := s.get(t, "/api/v1/sessions/export?fields=id", s.supervisor(t))
	if r.Trailer.Get("X-Row-Count") != "8" {
		t.Errorf("%d %v", r.StatusCode, r.Trailer)
	}
	s.get(t, "/api/v1/sessions/export?fields=id", s.supervisor(t)).problem(t, 401)
}

func TestEveryExportIsRecordedWithoutWhatItLooksFor(t *testing.T) {
	s := newExportStage(t, Exports{})
	r := s.post(t, "/api/v1/sessions/export", s.supervisor(t),
		`{"fields": ["id"], "keyword": "Kowalski", "status": ["OPEN"], "companyIds": [2, 3], "filename": "Kowalski", "resumeAfter": "s120"}`)
	if r.StatusCode != http.StatusOK {
		t.Fatalf("%s", r.body)
	}
	s.get(t, "/api/v1/sessions/export?companyId=20", s.supervisor(t)).problem(t, 403)
	lines := s.audit.all()
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	got := map[string]any{"action": lines[0].Action, "actor": lines[0].Actor, "outcome": lines[0].Outcome}
	for _, a := range lines[0].Details {
		got[a.Key] = a.Value.Any()
	}
	if seconds, _ := got["seconds"].(float64); seconds <= 0 {
		t.Errorf("took %v s", got["seconds"])
	}
	delete(got, "seconds")
	if diff := cmp.Diff(map[string]any{
		"action": "sessions.export", "actor": tenancytest.Subject, "outcome": audit.Done, "issuer": s.issuer.URL(), "company": uint64(2),
		"companies_asked": []tenancy.CompanyID{2, 3}, "branches_asked": []tenancy.CompanyID{},
		"companies_excepted": []tenancy.CompanyID{}, "branches_excepted": []tenancy.CompanyID{}, "all_supervised": false, "scope_size": int64(2), "filters": []string{"keyword", "status"},
		"fields": int64(1), "format": "CSV", "zip": false, "resumed": true, "matched": int64(16),
		"rows": int64(5), "bytes": int64(len(r.body)),
	}, got); diff != "" {
		t.Error(diff)
	}
	if lines[1].Outcome != audit.Refused || detail(lines[1], "error") != "company_forbidden" {
		t.Errorf("the refused one: %+v", lines[1])
	}
	for _, text := range []string{s.logs.String(), s.spanText(), s.metricText(t), fmt.Sprint(lines)} {
		if strings.Contains(text, "Kowalski") || strings.Contains(text, "s120") {
			t.Errorf("what was looked for is in %.300s", text)
		}
	}
	if text := s.metricText(t); !strings.Contains(text, "scopegate.exports.rows") {
		t.Error("rows are not counted")
	}
}

func detail(event audit.Event, key string) any {
	for _, a := range event.Details {
		if a.Key == key {
			return a.Value.Any()
		}
	}
	return nil
}

func TestAGatewayWithoutSnapshotsSaysSo(t *testing.T) {
	s := newStage(t)
	s.get(t, "/api/v1/sessions/export", s.supervisor(t)).problem(t, 503)
}
