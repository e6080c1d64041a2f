// Package scopegate_test holds the house to its plan.
package scopegate_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/scopegate/scopegate"

// mayImport lists, for each package, which of ours it may import. Tests are
// not bound by it.
var mayImport = map[string][]string{
	"api":                                nil,
	"api/client":                         {"api"},
	"audit":                              {"plainfile"},
	"config":                             nil,
	"reason":                             nil,
	"deploy":                             nil,
	"plainfile":                          nil,
	"ndjson":                             nil,
	"tenancy":                            {"ndjson", "reason"},
	"tenancy/tenancytest":                {"tenancy"},
	"session":                            {"search/keyword", "session/jsonscan", "tenancy"},
	"session/jsonscan":                   nil,
	"search":                             {"search/keyword", "session", "tenancy"},
	"search/keyword":                     nil,
	"search/keyword/internal/foldgen":    nil,
	"search/schema":                      {"search/keyword"},
	"search/schema/internal/storedlines": {"search/searchtest"},
	"search/paging":                      {"search", "session", "tenancy"},
	"search/elastic":                     {"budget", "pause", "reason", "search", "search/keyword", "search/paging", "search/schema", "session", "session/jsonscan", "tenancy"},
	"search/sqlite":                      {"invalidation", "reason", "search", "search/keyword", "search/paging", "search/schema", "session", "tenancy"},
	"search/ingest":                      {"ndjson", "pause", "search", "session", "tenancy"},
	"search/export":                      {"search", "session"},
	"search/searchtest":                  {"search", "search/keyword", "session", "tenancy", "tenancy/tenancytest"},
	"budget":                             {"reason"},
	"cache":                              {"budget", "cache/redisstore", "invalidation", "meter", "pause", "reason", "search", "tenancy"},
	"cache/redisstore":                   nil,
	"cache/redistest":                    {"cache/redisstore"},
	"invalidation":                       {"meter", "pause", "reason", "tenancy"},
	"invalidation/redislog":              {"budget", "cache/redisstore", "invalidation", "pause", "tenancy"},
	"limits":                             {"budget", "meter", "search", "tenancy"},
	"meter":                              nil,
	"pause":                              nil,
	"tcptest":                            nil,
	"gateway":                            {"api", "audit", "gateway/httpserver", "gateway/params", "limits", "meter", "reason", "search", "search/export", "search/keyword", "session", "tenancy"},
	"gateway/params":                     {"search", "search/export", "search/keyword", "session", "tenancy"},
	"gateway/httpserver":                 {"meter"},
	"gateway/httpserver/servertest":      nil,
	"gateway/telemetry":                  {"reason"},
	"cmd/scopegate/demo":                 {"search", "session", "tenancy"},
	"cmd/scopegate/directory":            {"audit", "search", "session", "tenancy"},
	"cmd/scopegate/download":             {"pause"},
	"cmd/scopegate/app": {
		"audit", "cache", "cache/redisstore", "config", "gateway", "gateway/httpserver", "gateway/telemetry", "invalidation",
		"invalidation/redislog", "limits", "meter", "ndjson", "search", "search/elastic", "search/export", "search/ingest", "search/schema", "search/sqlite", "session", "tenancy",
	},
	"cmd/scopegate/cli": {
		"audit", "cmd/scopegate/app", "cmd/scopegate/demo", "cmd/scopegate/directory", "cmd/scopegate/download", "config", "ndjson", "plainfile", "reason",
		"search", "search/elastic", "search/export", "search/ingest", "search/sqlite", "session", "tenancy",
	},
	"cmd/scopegate":             {"cmd/scopegate/cli"},
	"cmd/scopegate/e2e/harness": {"cmd/scopegate/app", "cmd/scopegate/cli", "config", "search", "session", "tenancy", "tenancy/tenancytest"},
}

// homes lists the one place (and what is below it) of each outside part.
var homes = map[string][]string{
	"github.com/gin-gonic/gin":                   {"gateway"},
	"github.com/redis/go-redis/v9":               {"cache", "invalidation/redislog", "limits"},
	"github.com/elastic/go-elasticsearch/v8":     {"search/elastic"},
	"github.com/elastic/elastic-transport-go/v8": {"search/elastic"},
	"modernc.org/sqlite":                         {"search/sqlite"},
	"github.com/xuri/excelize/v2":                {"search/export"},
	"go.opentelemetry.io/otel/sdk":               {"gateway/telemetry"},
	"github.com/alecthomas/kong":                 {"cmd/scopegate"},
	"github.com/MicahParks/keyfunc/v3":           {"tenancy"},
}

func TestPackagesImportOnlyWhatThePlanAllows(t *testing.T) {
	for name, imports := range packages(t) {
		allowed, planned := mayImport[name]
		if !planned {
			t.Errorf("package %s has no place in the plan", name)
			continue
		}
		for _, path := range imports {
			if ours, ok := strings.CutPrefix(path, module+"/"); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s must not import %s", name, ours)
			}
		}
	}
}

func TestOutsidePartsStayInTheirHomes(t *testing.T) {
	for name, imports := range packages(t) {
		for _, path := range imports {
			for part, places := range homes {
				if within(path, part) && !slices.ContainsFunc(places, func(place string) bool { return within(name, place) }) {
					t.Errorf("%s must not import %s: its home is %v", name, path, places)
				}
			}
		}
	}
}

// Every path in the documentation of the architecture is there: a file or folder
// in backquotes that has a slash, or an ending.
func TestTheArchitectureNamesWhatIsThere(t *testing.T) {
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z][a-z_0-9]*(/[a-z_0-9]+)+(\\.[a-z]+)?|[a-z_]+\\.(go|md|yaml))`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 40 {
		t.Fatalf("only %d paths were found", len(named))
	}
	for _, path := range named {
		if _, err := os.Stat(path[1]); err != nil {
			t.Errorf("there is no %s", path[1])
		}
	}
	for name := range mayImport {
		root, _, _ := strings.Cut(name, "/")
		if !strings.Contains(string(page), "`"+root) {
			t.Errorf("package %s is not in docs/architecture.md", name)
		}
	}
}

// Every metric that the code makes is in the documentation under the name that
// Prometheus shows.
func TestTheDocumentationHasEveryMetric(t *testing.T) {
	page, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]bool{}
	maker := regexp.MustCompile(`\.(?:Counter|UpDownCounter|Seconds|Gauge|Int64[A-Za-z]+|Float64[A-Za-z]+)\("scopegate\.([a-z_.]+)"`)
	for _, path := range goFiles(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range maker.FindAllSubmatch(text, -1) {
			made["scopegate_"+strings.ReplaceAll(string(match[1]), ".", "_")] = true
		}
	}
	if len(made) < 25 {
		t.Fatalf("only %d metrics were found", len(made))
	}
	documented := map[string]bool{}
	suffix := regexp.MustCompile(`(_bytes|_seconds)?(_total)?$`)
	for _, name := range regexp.MustCompile(`scopegate_[a-z_]+[a-z]`).FindAllString(string(page), -1) {
		documented[name], documented[suffix.ReplaceAllString(name, "")] = true, true
		if strings.HasSuffix(name, "_bytes_total") { // the unit is in the name already
			documented[strings.TrimSuffix(name, "_total")] = true
		}
	}
	for name := range made {
		if !documented[name] {
			t.Errorf("%s is not in docs/operations.md", name)
		}
	}
}

// A room that is too large says by prefixes of file names what folders should say.
func TestNoPackageIsTooLarge(t *testing.T) {
	const maxFiles, maxExported = 40, 100
	files, exported := map[string]int{}, map[string]int{}
	for _, path := range goFiles(t) {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, ".gen.go") {
			continue
		}
		dir := filepath.Dir(path)
		files[dir]++
		for _, decl := range file.Decls {
			exported[dir] += exportedIn(decl)
		}
	}
	for dir, n := range files {
		if n > maxFiles || exported[dir] > maxExported {
			t.Errorf("%s has %d files and %d exported names; at most %d and %d", dir, n, exported[dir], maxFiles, maxExported)
		}
	}
}

// exportedIn counts the exported names that a declaration adds to its package.
func exportedIn(decl ast.Decl) (n int) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.IsExported() {
			n++
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					n++
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() {
						n++
					}
				}
			}
		}
	}
	return n
}

// goFiles are the files of the module, tests aside.
func goFiles(t *testing.T) (paths []string) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-f", `{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}`, "./...")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Fields(string(out))
}

func within(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// packages maps each of our packages to what it imports.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-f", `{{if .GoFiles}}{{.ImportPath}} {{join .Imports " "}}{{end}}`, "./...")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) == 0 { // this folder holds tests only
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(words[0], module), "/")
		found[name] = words[1:]
	}
	if len(found) < len(mayImport)/2 {
		t.Fatalf("go list found only %d packages", len(found))
	}
	return found
}
