package journeys_test

import (
	"net/http"
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// statusFor asks a URL under another name.
func statusFor(t *testing.T, method, url, host string, header http.Header) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Host, request.Close = host, true
	if header != nil {
		request.Header = header
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // its status is enough
	return response.StatusCode
}

// TestTheDemoAnswersForLoopbackNamesOnly, with its data, its page and its
// passwords; and pages of other origins change nothing of it.
func TestTheDemoAnswersForLoopbackNamesOnly(t *testing.T) {
	d := startDemo(t, t.TempDir())
	for _, path := range []string{"/", "/dev/accounts", "/docs", "/api/v1/me", "/nowhere"} {
		if got := statusFor(t, http.MethodGet, d.url+path, "evil.example", nil); got != http.StatusMisdirectedRequest {
			t.Errorf("%s as evil.example is answered %d", path, got)
		}
	}
	if got := statusFor(t, http.MethodGet, d.url+"/dev/accounts", "localhost", nil); got != http.StatusOK {
		t.Errorf("as localhost: %d", got)
	}
	evil := http.Header{"Origin": {"http://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}
	if got := statusFor(t, http.MethodPost, d.url+"/dev/iam/rotate", "", evil); got != http.StatusForbidden {
		t.Errorf("keys are rotated for another site: %d", got)
	}
}

// TestTheAdminListenerOnLoopbackAnswersForLoopbackNamesOnly; the API, which a
// proxy of the same machine asks by the public name, answers for all.
func TestTheAdminListenerOnLoopbackAnswersForLoopbackNamesOnly(t *testing.T) {
	g := harness.Serve(t, harness.SmallTree(t))
	for path, host := range map[string]string{"/metrics": "evil.example", "/readyz": "10.0.0.7:9090", "/debug/traces": "evil.example"} {
		if got := statusFor(t, http.MethodGet, g.Admin+path, host, nil); got != http.StatusMisdirectedRequest {
			t.Errorf("%s as %s is answered %d", path, host, got)
		}
		if got := statusFor(t, http.MethodGet, g.Admin+path, "localhost:9090", nil); got == http.StatusMisdirectedRequest {
			t.Errorf("%s as localhost is answered %d", path, got)
		}
	}
	if got := statusFor(t, http.MethodGet, g.URL+"/api/v1/me", "sessions.example", nil); got != http.StatusUnauthorized {
		t.Errorf("the API by its public name is answered %d", got)
	}
}
