package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/config"
)

// place is where a test's data lies: the settings of an engine.
type place []string

// folder is the embedded engine's.
func folder(dir string) place { return place{"engine=" + config.EngineSQLite, "sqlite.dir=" + dir} }

func emptyFolder(t *testing.T) place {
	t.Helper()
	return folder(t.TempDir())
}

// emptyIndices are on a real Elasticsearch, of three shards, made by the
// command; they go with the test.
func emptyIndices(t *testing.T) place {
	t.Helper()
	at := noIndices(t)
	command(t, at, nil, "index", "create")
	return at
}

// noIndices is a name on a real Elasticsearch that no index has yet.
func noIndices(t *testing.T) place {
	t.Helper()
	address, name := service(t, "SCOPEGATE_TEST_ELASTICSEARCH"), "scopegate-test-"+strings.ToLower(rand.Text())
	t.Cleanup(func() { dropIndices(t, address, name) })
	return place{
		"engine=" + config.EngineElasticsearch, fmt.Sprintf("elasticsearch.addresses=[%q]", address),
		"elasticsearch.index=" + name, "elasticsearch.shards=3", "elasticsearch.replicas=0",
	}
}

func dropIndices(t *testing.T, address, name string) {
	t.Helper()
	var names []string
	for _, kind := range []string{"sessions", "companies", "grants", "directory-lock"} {
		names = append(names, fmt.Sprintf("%s-%s-000001", name, kind))
	}
	target := address + "/" + strings.Join(names, ",") + "?ignore_unavailable=true"
	request, err := http.NewRequest(http.MethodDelete, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Error(err)
		return
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("deleting the indices %s: %s", name, response.Status)
	}
}

// engines make an empty place each.
func engines() map[string]func(*testing.T) place {
	return map[string]func(*testing.T) place{"SQLite": emptyFolder, "Elasticsearch": emptyIndices}
}

// flags gives the settings to a command.
func (p place) flags() []string {
	var flags []string
	for _, setting := range p {
		flags = append(flags, "--set", setting)
	}
	return flags
}

// command runs a command on the place, which must end well, and returns what it
// printed.
func command(t *testing.T, at place, in io.Reader, args ...string) string {
	t.Helper()
	var out strings.Builder
	if in == nil {
		in = strings.NewReader("")
	}
	if err := run(t.Context(), append(args, at.flags()...), nil, streams{in: in, out: &out, err: io.Discard}); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return out.String()
}

func importInto(t *testing.T, at place, in io.Reader) {
	t.Helper()
	command(t, at, in, "import", "--quiet", "--strict", "--rejects", filepath.Join(t.TempDir(), "rejects"), "-")
}

func importLinesInto(t *testing.T, at place, lines ...string) {
	t.Helper()
	importInto(t, at, strings.NewReader(strings.Join(lines, "\n")))
}
