package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"gopkg.in/yaml.v3"

	contract "github.com/scopegate/scopegate/api"
)

func docsServer(t *testing.T) http.Handler {
	t.Helper()
	engine := newEngine()
	if err := (&api{}).routeDocs(engine); err != nil {
		t.Fatal(err)
	}
	return engine
}

func fetch(t *testing.T, server http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	return w
}

func TestContractIsServedAsWritten(t *testing.T) {
	r := fetch(t, docsServer(t), http.MethodGet, "/openapi.yaml")
	if r.Code != http.StatusOK || r.Header().Get("Content-Type") != "application/yaml" {
		t.Errorf("%d, %s", r.Code, r.Header().Get("Content-Type"))
	}
	body := r.Body.String()
	if body != string(contract.YAML()) {
		t.Error("not api/openapi.yaml")
	}
	var doc struct{ OpenAPI string }
	if err := yaml.Unmarshal([]byte(body), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("openapi: %s, %v", doc.OpenAPI, err)
	}
}

func TestContractIsServedAsJSON(t *testing.T) {
	r := fetch(t, docsServer(t), http.MethodGet, "/openapi.json")
	if r.Code != http.StatusOK || r.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d, %s", r.Code, r.Header().Get("Content-Type"))
	}
	var doc struct{ OpenAPI string }
	if err := json.Unmarshal(r.Body.Bytes(), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("openapi: %s, %v", doc.OpenAPI, err)
	}
}

func TestDocumentsAreRevalidated(t *testing.T) {
	server := docsServer(t)
	first := fetch(t, server, http.MethodGet, "/docs/swagger-ui-bundle.js")
	etag := first.Header().Get("ETag")
	if etag == "" {
		t.Fatal("no ETag")
	}
	again := fetch(t, server, http.MethodGet, "/docs/swagger-ui-bundle.js", "If-None-Match", etag)
	if again.Code != http.StatusNotModified || again.Body.String() != "" {
		t.Errorf("status %d", again.Code)
	}
	other := fetch(t, server, http.MethodGet, "/docs/swagger-ui.css", "If-None-Match", etag)
	if other.Code != http.StatusOK {
		t.Errorf("another file's ETag: status %d", other.Code)
	}
}

func TestDocumentsAreCompressedWhenAsked(t *testing.T) {
	server := docsServer(t)
	plain := fetch(t, server, http.MethodGet, "/docs/swagger-ui.css").Body.String()
	r := fetch(t, server, http.MethodGet, "/docs/swagger-ui.css", "Accept-Encoding", "gzip")
	if r.Header().Get("Content-Encoding") != "gzip" || !strings.Contains(r.Header().Get("Vary"), "Accept-Encoding") {
		t.Fatalf("headers: %v", r.Header())
	}
	unpacked, err := gzip.NewReader(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(unpacked)
	if err != nil || !bytes.Equal(got, []byte(plain)) {
		t.Errorf("not the file: %v", err)
	}
}

func TestDocumentsAnswerHEAD(t *testing.T) {
	r := fetch(t, docsServer(t), http.MethodHead, "/docs")
	if r.Code != http.StatusOK || r.Header().Get("Content-Length") == "0" {
		t.Errorf("%d, %v", r.Code, r.Header())
	}
}

// reference is an address that a page or a style sheet loads.
var reference = regexp.MustCompile(`(?:src|href)="([^"]*)"|url\(\s*['"]?([^'")]*)|@import\s+['"]([^'"]*)`)

func TestDocsPageRefersToItsOwnOriginOnly(t *testing.T) {
	server := docsServer(t)
	loaded := 0
	for _, page := range docsPages {
		if !strings.HasPrefix(page.contentType, "text/html") && !strings.HasPrefix(page.contentType, "text/css") {
			continue
		}
		for _, match := range reference.FindAllStringSubmatch(fetch(t, server, http.MethodGet, page.path).Body.String(), -1) {
			address := match[1] + match[2] + match[3]
			if strings.HasPrefix(address, "data:") {
				continue
			}
			if !strings.HasPrefix(address, "/") || strings.HasPrefix(address, "//") {
				t.Errorf("%s loads %s", page.path, address)
				continue
			}
			if r := fetch(t, server, http.MethodGet, address); r.Code != http.StatusOK {
				t.Errorf("%s loads %s: %d", page.path, address, r.Code)
			}
			loaded++
		}
	}
	if loaded < 5 {
		t.Errorf("found %d references only: has the page changed its form?", loaded)
	}
}

func TestDocsPageConfiguresNoOtherOrigin(t *testing.T) {
	script := fetch(t, docsServer(t), http.MethodGet, "/docs/page.js").Body.String()
	if regexp.MustCompile(`https?:|['"]//`).MatchString(script) {
		t.Error("page.js has an address of another origin")
	}
	for _, setting := range []string{"url: '/openapi.json'", "validatorUrl: null", "queryConfigEnabled: false", "persistAuthorization: false"} {
		if !strings.Contains(script, setting) {
			t.Errorf("page.js lacks %s", setting)
		}
	}
}

func TestPolicyHoldsThePageToItsOwnOrigin(t *testing.T) {
	for _, page := range docsPages {
		policy := fetch(t, docsServer(t), http.MethodGet, page.path).Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none';") {
			t.Errorf("%s: %q", page.path, policy)
		}
		for _, source := range strings.FieldsFunc(policy, func(r rune) bool { return r == ' ' || r == ';' }) {
			switch {
			case source == "'self'", source == "'none'", source == "data:", strings.HasSuffix(source, "-src"),
				source == "base-uri", source == "form-action", source == "frame-ancestors":
			default:
				t.Errorf("%s: the policy allows %s", page.path, source)
			}
		}
	}
}
