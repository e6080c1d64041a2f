package gateway

import (
	"archive/zip"
	"bytes"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
)

func TestAPageCanBeAFile(t *testing.T) {
	s := newStage(t)
	tests := map[string]struct{ target, body, mediaType string }{
		"CSV":       {"format=CSV", "id\r\ns100\r\ns104\r\n", "text/csv; charset=utf-8; header=present"},
		"CSV_EXCEL": {"format=CSV_EXCEL", "\uFEFFid\r\n\"s100\"\r\n\"s104\"\r\n", "text/csv; charset=utf-8; header=present"},
		"NDJSON":    {"format=NDJSON", "{\"id\":\"s100\"}\n{\"id\":\"s104\"}\n", "application/x-ndjson"},
		"JSON":      {"filename=week", `{"count":8,"items":[{"id":"s100"},{"id":"s104"}]}`, "application/json; charset=utf-8"},
		"no count":  {"filename=week&withoutCount=true", `{"items":[{"id":"s100"},{"id":"s104"}]}`, "application/json; charset=utf-8"},
		"no items":  {"filename=week&withoutItems=true", `{"count":8}`, "application/json; charset=utf-8"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := s.get(t, "/api/v1/sessions?fields=id&limit=2&"+test.target, s.supervisor(t))
			if string(r.body) != test.body || r.Header.Get("Content-Type") != test.mediaType {
				t.Errorf("%s: %q", r.Header.Get("Content-Type"), r.body)
			}
			if !strings.HasPrefix(r.Header.Get("Content-Disposition"), "attachment; ") {
				t.Errorf("Content-Disposition %q", r.Header.Get("Content-Disposition"))
			}
			if counted := r.Header.Get("X-Total-Count") == "8"; counted == strings.Contains(test.target, "withoutCount") {
				t.Errorf("X-Total-Count %q", r.Header.Get("X-Total-Count"))
			}
			again := s.get(t, "/api/v1/sessions?fields=id&limit=2&"+test.target, s.supervisor(t), "If-None-Match", r.Header.Get("ETag"))
			if again.StatusCode != http.StatusNotModified {
				t.Errorf("asked again: %d", again.StatusCode)
			}
			checkEveryHeader(t, r)
		})
	}
	plain := s.get(t, "/api/v1/sessions?fields=id&limit=2", s.supervisor(t))
	if plain.Header.Get("Content-Disposition") != "" || plain.Header.Get("X-Total-Count") != "" {
		t.Errorf("what is no file has %v", plain.Header)
	}
	next := s.get(t, nextOf(t, s.get(t, "/api/v1/sessions?fields=id&limit=2&format=CSV", s.supervisor(t))), s.supervisor(t))
	if string(next.body) != "id\r\ns108\r\ns112\r\n" {
		t.Errorf("the next page is %q", next.body)
	}
}

// TestAnArchiveIsKnownByWhatIsInIt, not by the time of its making.
func TestAnArchiveIsKnownByWhatIsInIt(t *testing.T) {
	s := newStage(t)
	seen := map[string]string{}
	for _, target := range []string{"format=XLSX", "format=CSV&zip=1", "format=CSV", "format=CSV&timezone=60", "format=CSV&filename=a", "format=CSV_EXCEL"} {
		first := s.get(t, "/api/v1/sessions?fields=id&limit=2&"+target, s.supervisor(t)).Header.Get("ETag")
		if again := s.get(t, "/api/v1/sessions?fields=id&limit=2&"+target, s.supervisor(t)).Header.Get("ETag"); again != first || seen[first] != "" {
			t.Errorf("%s is known as %s and %s, and so is %q", target, first, again, seen[first])
		}
		seen[first] = target
	}
}

func TestAPageCanBeAZip(t *testing.T) {
	s := newStage(t)
	r := s.post(t, "/api/v1/sessions/search", s.supervisor(t), `{"fields": ["id"], "limit": 2, "format": "XLSX", "zip": true, "filename": "неделя"}`)
	archive, err := zip.NewReader(bytes.NewReader(r.body), int64(len(r.body)))
	if err != nil || archive.File[0].Name != "неделя.xlsx" {
		t.Fatalf("%s: %v", r.body, err)
	}
	if r.Header.Get("X-Row-Count") != "2" || r.Header.Get("X-Truncated-Cells") != "0" {
		t.Errorf("%v", r.Header)
	}
}

func TestNamesOfFilesAreSafe(t *testing.T) {
	now := time.Date(2026, 3, 1, 22, 30, 5, 0, time.UTC)
	for asked, want := range map[string]string{
		"":                       "chat-sessions-20260302-013005.csv", // three hours east
		"report":                 "report.csv",
		"report.CSV":             "report.csv",
		"report.zip":             "report.csv",
		"a\r\nSet-Cookie: b":     "a__Set-Cookie_ b.csv",
		`say "hi"`:               "say _hi_.csv",
		"../../etc/passwd":       "_.._etc_passwd.csv",
		`..\..\boot`:             `_.._boot.csv`,
		"C:\\a":                  "C__a.csv",
		"...":                    "chat-sessions-20260302-013005.csv",
		".hidden":                "hidden.csv",
		"name. ":                 "name.csv",
		"отчёт за май":           "отчёт за май.csv",
		"gpj.\u202Evsc":          "gpj._vsc.csv",
		"\x00\x7f\u0085":         "___.csv",
		strings.Repeat("a", 300): strings.Repeat("a", 200) + ".csv",
		strings.Repeat("ж", 300): strings.Repeat("ж", 100) + ".csv",
		"50% off; a=b":           "50% off; a=b.csv",
	} {
		form := fileForm{Format: export.CSV, Name: asked, Zone: search.Zone{Minutes: 180}}
		h := http.Header{}
		form.describe(h, now)
		kind, params, err := mime.ParseMediaType(h.Get("Content-Disposition"))
		if err != nil || kind != "attachment" || params["filename"] != want {
			t.Errorf("%q becomes %s, which is %q, %v", asked, h.Get("Content-Disposition"), params["filename"], err)
		}
	}
}

// TestAnyNameIsOneSafeHeader: read by RFC 8187's rules it is the name, and for
// those who know filename alone it is as safe.
func TestAnyNameIsOneSafeHeader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := safeName(rapid.String().Draw(t, "asked"), ".csv")
		if strings.ContainsAny(name, "/\\\"'\r\n\x00") || len(name) > maxName || !utf8.ValidString(name) || strings.HasPrefix(name, ".") {
			t.Fatalf("the name is %q", name)
		}
		header := attachment(name + ".csv")
		for _, c := range []byte(header) {
			if c < ' ' || c > '~' {
				t.Fatalf("the header is %q", header)
			}
		}
		if strings.Count(header, `"`) != 2 {
			t.Fatalf("the header is %q", header)
		}
		if _, params, err := mime.ParseMediaType(header); err != nil || params["filename"] != name+".csv" {
			t.Fatalf("%q is read as %q, %v", header, params["filename"], err)
		}
	})
}
