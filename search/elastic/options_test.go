package elastic

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOptionsThatMakeNoSenseAreRefusedAllAtOnce(t *testing.T) {
	ok := []string{"http://127.0.0.1:9200"}
	for name, c := range map[string]struct {
		options Options
		want    []string // parts of the error
	}{
		"no address":        {Options{}, []string{"at least one URL"}},
		"no URL":            {Options{Addresses: []string{"127.0.0.1:9200"}}, []string{"number 1"}},
		"another scheme":    {Options{Addresses: append(ok, "ftp://u:hidden@host")}, []string{"number 2"}},
		"capitals":          {Options{Addresses: ok, Index: "Scopegate"}, []string{"index:"}},
		"a pattern":         {Options{Addresses: ok, Index: "scope*"}, []string{"index:"}},
		"a hidden index":    {Options{Addresses: ok, Index: ".scopegate"}, []string{"index:"}},
		"several indices":   {Options{Addresses: ok, Index: "a,b"}, []string{"index:"}},
		"two identities":    {Options{Addresses: ok, APIKey: "k", Username: "u"}, []string{"only one"}},
		"two authorities":   {Options{Addresses: ok, CAFile: "f", CACert: []byte("c")}, []string{"only one"}},
		"negative numbers":  {Options{Addresses: ok, Shards: -1}, []string{"negative"}},
		"a missing CA file": {Options{Addresses: ok, CAFile: "no-such-file.pem"}, []string{"CA file"}},
		"no PEM":            {Options{Addresses: ok, CACert: []byte("hidden")}, []string{"PEM"}},
		"several faults":    {Options{Index: "*", Shards: -1}, []string{"at least one URL", "index:", "negative"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), c.options)
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "hidden") {
				t.Errorf("error %q shows a secret", err)
			}
		})
	}
}

func TestCredentialsAndAuthoritiesAreUsed(t *testing.T) {
	for name, c := range map[string]struct {
		options Options
		want    string // Authorization
	}{
		"API key":        {Options{APIKey: "a2V5"}, "APIKey a2V5"},
		"user":           {Options{Username: "user", Password: "word"}, "Basic dXNlcjp3b3Jk"},
		"no credentials": {Options{}, ""},
		"CA from a file": {Options{CAFile: "ca.pem"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := "none asked"
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Header.Get("Authorization")
				w.Header().Set("X-Elastic-Product", "Elasticsearch")
				w.WriteHeader(http.StatusNotFound)
			}))
			defer server.Close()
			ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
			o := c.options
			if o.Addresses = []string{server.URL + "/"}; o.CAFile == "" {
				o.CACert = ca
			} else {
				o.CAFile = filepath.Join(t.TempDir(), o.CAFile)
				if err := os.WriteFile(o.CAFile, ca, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			_ = s.Ping(t.Context())
			if got != c.want {
				t.Errorf("Authorization %q, want %q", got, c.want)
			}
		})
	}
}
