package demo

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestPagesOfOtherOriginsChangeNothingOfTheIdentityProvider: what their browser
// says of them is enough to refuse them.
func TestPagesOfOtherOriginsChangeNothingOfTheIdentityProvider(t *testing.T) {
	identity, err := NewIdentity(nil)
	if err != nil {
		t.Fatal(err)
	}
	handler := identity.Handler()
	ask := func(method, path string, header http.Header) int {
		r := httptest.NewRequest(method, path, nil)
		r.Host, r.Header = "127.0.0.1:8080", header
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	posts := []string{"/dev/iam/rotate", loginPath, "/dev/iam/api/v1/auth/refresh"}
	for name, header := range map[string]http.Header{
		"another site":                     {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"http://evil.example"}},
		"another site without its origin":  {"Sec-Fetch-Site": {"cross-site"}},
		"another port":                     {"Sec-Fetch-Site": {"same-site"}, "Origin": {"http://127.0.0.1:9999"}},
		"another port of an older browser": {"Origin": {"http://127.0.0.1:9999"}},
		"another scheme":                   {"Origin": {"https://127.0.0.1:8080"}},
		"another name":                     {"Origin": {"http://localhost:8080"}},
		"a sandbox":                        {"Origin": {"null"}},
		"two origins":                      {"Origin": {"http://127.0.0.1:8080", "http://evil.example"}},
		"an origin that only begins alike": {"Origin": {"http://127.0.0.1:8080.evil.example"}},
	} {
		for _, path := range posts {
			if got := ask(http.MethodPost, path, header); got != http.StatusForbidden {
				t.Errorf("%s: POST %s is answered %d", name, path, got)
			}
		}
		if got := ask(http.MethodGet, KeySetPath, header); got != http.StatusOK {
			t.Errorf("%s: the key set is answered %d", name, got)
		}
	}
	for name, header := range map[string]http.Header{
		"a program":                {},
		"the demo's own page":      {"Sec-Fetch-Site": {"same-origin"}, "Origin": {"http://127.0.0.1:8080"}},
		"the browser's own typing": {"Sec-Fetch-Site": {"none"}},
	} {
		if got := ask(http.MethodPost, "/dev/iam/rotate", header); got != http.StatusOK {
			t.Errorf("%s is answered %d", name, got)
		}
	}
}
