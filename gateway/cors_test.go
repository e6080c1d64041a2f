package gateway

import (
	"net/http"
	"strings"
	"testing"
)

func corsStage(t *testing.T, origins ...string) *stage {
	t.Helper()
	return newStage(t, func(o *Options) { o.CORSOrigins = origins })
}

// corsHeaders are those of an answer that begin with Access-Control-.
func corsHeaders(r reply) int {
	n := 0
	for name := range r.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			n++
		}
	}
	return n
}

func TestOnlyPagesOfConfiguredOriginsMayReadAnswers(t *testing.T) {
	const ours, port = "https://console.example.org", "http://localhost:5173"
	configured := []string{ours, port}
	for _, tt := range []struct {
		name    string
		origins []string
		origin  string
		may     bool
	}{
		{"none is configured", nil, ours, false},
		{"the one", configured, ours, true},
		{"the other", configured, port, true},
		{"a stranger", configured, "https://evil.example.org", false},
		{"one that begins alike", configured, ours + ".evil.example.org", false},
		{"another scheme", configured, "http://console.example.org", false},
		{"another port", configured, ours + ":8443", false},
		{"null", configured, "null", false},
		{"a star", configured, "*", false},
		{"both at once", configured, ours + ", " + port, false},
		{"not a page", configured, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := corsStage(t, tt.origins...)
			for _, r := range []reply{
				s.get(t, "/api/v1/sessions", s.supervisor(t), "Origin", tt.origin),
				s.get(t, "/api/v1/sessions", "garbage", "Origin", tt.origin),
				s.get(t, "/nowhere", "", "Origin", tt.origin),
				s.do(t, http.MethodOptions, "/api/v1/sessions", "", "", "Origin", tt.origin, "Access-Control-Request-Method", "GET"),
			} {
				if got := r.Header.Get("Access-Control-Allow-Origin"); tt.may && got != tt.origin || !tt.may && corsHeaders(r) > 0 {
					t.Errorf("%s %s: %v", r.Request.Method, r.Request.URL.Path, r.Header)
				}
				if r.Header.Get("Access-Control-Allow-Credentials") != "" {
					t.Error("credentials are allowed")
				}
				vary := r.Header.Values("Vary")
				if len(vary) != 1 || strings.Contains(vary[0], "Origin") != (len(tt.origins) > 0) || !strings.Contains(vary[0], "Authorization") {
					t.Errorf("%s %s: Vary %q", r.Request.Method, r.Request.URL.Path, vary)
				}
			}
		})
	}
}

func TestAPreflightIsAnsweredWithoutAToken(t *testing.T) {
	const origin = "https://console.example.org"
	s := corsStage(t, origin)
	r := s.do(t, http.MethodOptions, "/api/v1/sessions/search", "", "",
		"Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
	checkEveryHeader(t, r)
	if r.StatusCode != http.StatusNoContent || len(r.body) > 0 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "Authorization", "Access-Control-Max-Age": "600",
	} {
		if got := r.Header.Get(name); !strings.Contains(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if line := s.waitForLine(t, "request"); line["status"] != 204.0 {
		t.Errorf("line = %v", line)
	}
	s.do(t, http.MethodOptions, "/api/v1/sessions", "", "", "Origin", origin).problem(t, http.StatusMethodNotAllowed)
}

func TestAnAnswersHeadersAreThereForPages(t *testing.T) {
	const origin = "https://console.example.org"
	s := corsStage(t, origin)
	r := s.get(t, "/api/v1/sessions?limit=2", s.supervisor(t), "Origin", origin)
	exposed := r.Header.Get("Access-Control-Expose-Headers")
	for name := range r.Header {
		switch name {
		case "Cache-Control", "Content-Length", "Content-Type", // any page may read these
			"Date", "Vary", "X-Content-Type-Options", "Content-Security-Policy", "Cross-Origin-Resource-Policy", "Referrer-Policy": // of no use to one
			continue
		}
		if !strings.HasPrefix(name, "Access-Control-") && !strings.Contains(strings.ToLower(exposed), strings.ToLower(name)) {
			t.Errorf("%s is not exposed in %q", name, exposed)
		}
	}
}
