package harness

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/config"
)

// RequireServices is set where a missing part is a failure, not a reason to
// pass over a test.
const RequireServices = "SCOPEGATE_REQUIRE_SERVICES"

// OpenPlace opens the engine beside the gateway.
func OpenPlace(t *testing.T, at Place) app.Engine {
	t.Helper()
	cfg, err := config.LoadEngine(config.Sources{Set: at})
	if err != nil {
		t.Fatal(err)
	}
	store, err := app.EngineOf(cfg).Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// TryCommand runs a command on the place.
func TryCommand(t *testing.T, at Place, args ...string) (out string, err error) {
	t.Helper()
	var text strings.Builder
	err = cli.Run(t.Context(), append(args, at.Flags()...), nil, cli.Streams{In: strings.NewReader(""), Out: &text, Err: io.Discard})
	return text.String(), err
}

// WithRedis is a place whose changes reach gateways, and the settings of
// the gateways.
func WithRedis(t *testing.T, engine string) (at Place, bounds []string) {
	t.Helper()
	at = Engines()[engine](t)
	at = append(at, RedisSettings(strings.TrimPrefix(Service(t, "SCOPEGATE_TEST_REDIS"), "redis://"))...)
	return at, []string{"cache.fresh=1m", "cache.stale=10m"}
}

// Service is where a real part listens that `make services` has started.
func Service(t *testing.T, variable string) string {
	t.Helper()
	address := os.Getenv(variable)
	if address != "" {
		return address
	}
	if os.Getenv(RequireServices) != "" {
		t.Fatalf("%s is not set; `make test` sets it", variable)
	}
	t.Skipf("%s is not set; `make test` sets it", variable)
	return ""
}

// Place is where a test's data lies: the settings of an engine.
type Place []string

// Folder is the embedded engine's.
func Folder(dir string) Place { return Place{"engine=" + config.EngineSQLite, "sqlite.dir=" + dir} }

// EmptyFolder is a data folder of the embedded engine without data.
func EmptyFolder(t *testing.T) Place {
	t.Helper()
	return Folder(t.TempDir())
}

// EmptyIndices are on a real Elasticsearch, of three shards, made by the
// command; they go with the test.
func EmptyIndices(t *testing.T) Place {
	t.Helper()
	at := NoIndices(t)
	Command(t, at, nil, "index", "create")
	return at
}

// NoIndices is a name on a real Elasticsearch that no index has yet.
func NoIndices(t *testing.T) Place {
	t.Helper()
	address, name := Service(t, "SCOPEGATE_TEST_ELASTICSEARCH"), "scopegate-test-"+strings.ToLower(rand.Text())
	t.Cleanup(func() { dropIndices(t, address, name) })
	return Place{
		"engine=" + config.EngineElasticsearch, fmt.Sprintf("elasticsearch.addresses=[%q]", address),
		"elasticsearch.index=" + name, "elasticsearch.shards=3", "elasticsearch.replicas=0",
	}
}

func dropIndices(t *testing.T, address, name string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	send := func(method, names string) (found []byte) {
		request, err := http.NewRequest(method, address+"/"+names, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Error(err)
			return nil
		}
		defer func() { _ = response.Body.Close() }()
		if found, err = io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%s of the indices %s: %s, error %v", method, name, response.Status, err)
		}
		return found
	}
	var indices map[string]struct{} // more than were created, if they were migrated
	if err := json.Unmarshal(send(http.MethodGet, name+"-*"), &indices); err != nil {
		t.Error(err)
	}
	if len(indices) > 0 {
		send(http.MethodDelete, strings.Join(slices.Collect(maps.Keys(indices)), ","))
	}
}

// Engines make an empty place each.
func Engines() map[string]func(*testing.T) Place {
	return map[string]func(*testing.T) Place{"SQLite": EmptyFolder, "Elasticsearch": EmptyIndices}
}

// Flags gives the settings to a command.
func (p Place) Flags() []string {
	var flags []string
	for _, setting := range p {
		flags = append(flags, "--set", setting)
	}
	return flags
}

// Command runs a command on the place, which must end well, and returns what it
// printed.
func Command(t *testing.T, at Place, in io.Reader, args ...string) string {
	t.Helper()
	var out strings.Builder
	if in == nil {
		in = strings.NewReader("")
	}
	if err := cli.Run(t.Context(), append(args, at.Flags()...), nil, cli.Streams{In: in, Out: &out, Err: io.Discard}); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return out.String()
}

// ImportInto imports NDJSON, of which every line must be good.
func ImportInto(t *testing.T, at Place, in io.Reader) {
	t.Helper()
	Command(t, at, in, "import", "--quiet", "--strict", "--rejects", filepath.Join(t.TempDir(), "rejects"), "-")
}

// ImportLinesInto imports NDJSON lines, which must be good.
func ImportLinesInto(t *testing.T, at Place, lines ...string) {
	t.Helper()
	ImportInto(t, at, strings.NewReader(strings.Join(lines, "\n")))
}

// RedisSettings are for gateways of one test that share a Redis.
func RedisSettings(address string) []string {
	return []string{
		"cache.fresh=1m",
		fmt.Sprintf("redis.addresses=[%q]", address),
		fmt.Sprintf("cache.keys=[%q]", base64.StdEncoding.EncodeToString([]byte(rand.Text() + rand.Text())[:32])),
		"cache.namespace=" + rand.Text(),
	}
}

// BehindProxy is the place over a proxy that answers some requests in place of
// Elasticsearch, and passes the others on, perhaps with another body.
func BehindProxy(t *testing.T, at Place, answer func(r *http.Request, body []byte) (status int, changed []byte)) Place {
	t.Helper()
	target, err := url.Parse(Service(t, "SCOPEGATE_TEST_ELASTICSEARCH"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	forward := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		status, body := answer(r, body)
		if status != 0 {
			w.Header().Set("X-Elastic-Product", "Elasticsearch")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"error":{"type":"circuit_breaking_exception","reason":"[parent] Data too large"}}`))
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		proxy.Close()
		transport.CloseIdleConnections()
	})
	return append(slices.Clone(at), fmt.Sprintf("elasticsearch.addresses=[%q]", proxy.URL))
}

// IndexOf is what the names of the place's indices begin with.
func IndexOf(at Place) string {
	for _, setting := range at {
		if name, ok := strings.CutPrefix(setting, "elasticsearch.index="); ok {
			return name
		}
	}
	return ""
}
