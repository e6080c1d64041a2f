package commands_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"

	gocmp "github.com/google/go-cmp/cmp"
)

// cannedExport answers every export alike, and keeps the body of the last one.
type cannedExport struct {
	status  int
	header  map[string]string
	body    string
	breaks  bool
	trailer string
	asked   map[string]any
	token   string
}

// ServeHTTP implements http.Handler.
func (c *cannedExport) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.token, c.asked = r.Header.Get("Authorization"), nil
	_ = json.NewDecoder(r.Body).Decode(&c.asked)
	for name, value := range c.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Trailer", "X-Row-Count")
	w.WriteHeader(c.status)
	_, _ = io.WriteString(w, c.body)
	_ = http.NewResponseController(w).Flush()
	if c.breaks {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("X-Row-Count", c.trailer)
}

func (c *cannedExport) serve(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(c)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	return server
}

// twoRows is the whole export of two sessions as CSV.
func twoRows() *cannedExport {
	return &cannedExport{
		status: http.StatusOK, header: map[string]string{"Content-Type": "text/csv", "X-Total-Count": "2"},
		body: "id,name\r\na,x\r\nb,\"y\r\nz\"\r\n", trailer: "2",
	}
}

// exported runs the command, and returns its exit code with all that it printed.
func exported(ctx context.Context, env cli.Environ, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	failed := cli.Run(ctx, append([]string{"export"}, args...), env, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &err})
	code = cli.ExitCode(failed, &err)
	return code, out.String(), err.String()
}

func TestTheExitCodeOfAnExportSaysWhatCameOfIt(t *testing.T) {
	problem := map[string]string{"Content-Type": "application/problem+json"}
	for name, test := range map[string]struct {
		change func(c *cannedExport)
		args   []string
		env    cli.Environ
		code   int
		says   []string
		file   bool
	}{
		"whole": {code: cli.ExitOK, says: []string{"rows: 2, bytes: 24"}, file: true},
		"quiet": {args: []string{"--quiet"}, code: cli.ExitOK, file: true},
		"broken": {
			change: func(c *cannedExport) { c.breaks = true }, code: cli.ExitIncomplete,
			says: []string{"not whole", "broken off", "file.part (rows: 2) is not all", "--resume goes on"},
		},
		"broken, and not to be resumed": {
			change: func(c *cannedExport) { c.breaks = true }, args: []string{"--sort=name"}, code: cli.ExitIncomplete,
			says: []string{"nothing was kept", "sorted by id"},
		},
		"broken, for Excel": {
			change: func(c *cannedExport) { c.breaks = true }, args: []string{"--format", "CSV_EXCEL"}, code: cli.ExitIncomplete,
			says: []string{"nothing was kept", "only NDJSON and CSV"},
		},
		"without its trailer": {
			change: func(c *cannedExport) { c.trailer = "" }, code: cli.ExitIncomplete, says: []string{"X-Row-Count is missing", "--resume"},
		},
		"short": {
			change: func(c *cannedExport) { c.trailer = "3" }, code: cli.ExitIncomplete, says: []string{"2 rows have come, of 3", "nothing was kept"},
		},
		"400": {
			change: func(c *cannedExport) {
				c.status, c.header, c.body = 400, problem, `{"detail": "One fault.", "details": [{"parameter": "to", "message": "is no date"}]}`
			},
			code: cli.ExitRefused, says: []string{"400", "to: is no date"},
		},
		"401": {
			change: func(c *cannedExport) { c.status, c.header, c.body = 401, problem, `{"error": "Token is expired."}` },
			code:   cli.ExitRefused, says: []string{"401", "Token is expired."},
		},
		"403 of a resumption": {
			change: func(c *cannedExport) { c.status, c.header, c.body = 403, problem, `{"detail": "Not yours."}` },
			args:   []string{"--resume"}, code: cli.ExitRefused, says: []string{"Not yours.", "file.part, if it was there, is as it was"},
		},
		"503": {
			change: func(c *cannedExport) { c.status, c.header, c.body = 503, problem, `{"detail": "Down."}` },
			code:   cli.ExitFailed, says: []string{"503", "Down."},
		},
		"another parameter": {args: []string{"--colour=red"}, code: cli.ExitUsage, says: []string{"--colour"}},
		"a scalar twice":    {args: []string{"--name=a", "--name=b"}, code: cli.ExitUsage, says: []string{"--name: is given more than once"}},
		"another format":    {args: []string{"--format=DOC"}, code: cli.ExitUsage, says: []string{"--format must be one of"}},
		"nothing to resume": {args: []string{"--resume", "--format=XLSX"}, code: cli.ExitUsage, says: []string{"cannot be resumed"}},
		"without its ids":   {args: []string{"--resume", "--fields=name"}, code: cli.ExitUsage, says: []string{"add id to fields"}},
		"no token":          {env: cli.Environ{"A=b"}, code: cli.ExitUsage, says: []string{"SCOPEGATE_TOKEN"}},
		"two tokens":        {env: cli.Environ{"SCOPEGATE_TOKEN=good bad-token"}, code: cli.ExitUsage, says: []string{"something else than one token"}},
		"a password":        {args: []string{"--gateway=http://me:secret-token@127.0.0.1"}, code: cli.ExitUsage, says: []string{"--gateway must be"}},
		"no authorities":    {args: []string{"--ca-file=/nowhere.pem"}, code: cli.ExitUsage, says: []string{"--ca-file: open /nowhere.pem"}},
	} {
		t.Run(name, func(t *testing.T) {
			canned := twoRows()
			if test.change != nil {
				test.change(canned)
			}
			server := canned.serve(t)
			server.Start()
			if test.env == nil {
				test.env = cli.Environ{"SCOPEGATE_TOKEN=secret-token"}
			}
			path := filepath.Join(t.TempDir(), "file")
			code, stdout, stderr := exported(t.Context(), test.env, append([]string{"--gateway", server.URL, "-o", path}, test.args...)...)
			if code != test.code || stdout != "" {
				t.Errorf("exit code %d, want %d: %s%s", code, test.code, stdout, stderr)
			}
			for _, want := range test.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("says %q, want %q", stderr, want)
				}
			}
			if len(test.says) == 0 && stderr != "" || strings.Contains(stderr, "-token@") || strings.Contains(stderr, "bad-token") || strings.Contains(stderr, "secret-token") {
				t.Errorf("says %q", stderr)
			}
			if text, err := os.ReadFile(path); (err == nil) != test.file || test.file && string(text) != canned.body {
				t.Errorf("the file: %q, %v", text, err)
			}
		})
	}
}

// TestAPartOfAnotherAccountOrGatewayIsWrongUsage: the exit code is 2, and nobody
// is asked.
func TestAPartOfAnotherAccountOrGatewayIsWrongUsage(t *testing.T) {
	canned := twoRows()
	canned.breaks = true
	server, other := canned.serve(t), canned.serve(t)
	server.Start()
	other.Start()
	path := filepath.Join(t.TempDir(), "file")
	if code, _, said := exported(t.Context(), cli.Environ{"SCOPEGATE_TOKEN=t"}, "--gateway", server.URL, "-o", path); code != cli.ExitIncomplete {
		t.Fatalf("exit code %d: %s", code, said)
	}
	canned.asked = nil
	for says, who := range map[string][]string{"another token": {"u", server.URL}, "another gateway": {"t", other.URL}} {
		code, _, said := exported(t.Context(), cli.Environ{"SCOPEGATE_TOKEN=" + who[0]}, "--gateway", who[1], "-o", path, "--resume")
		if code != cli.ExitUsage || !strings.Contains(said, says) || !strings.Contains(said, "--force") || canned.asked != nil {
			t.Errorf("%s: exit code %d, asked %v: %s", says, code, canned.asked, said)
		}
	}
}

func TestAnExportGoesToStandardOutput(t *testing.T) {
	canned := twoRows()
	server := canned.serve(t)
	server.Start()
	env := cli.Environ{"SCOPEGATE_TOKEN=t"}
	code, stdout, stderr := exported(t.Context(), env, "--gateway", server.URL)
	if code != cli.ExitOK || stdout != canned.body || !strings.Contains(stderr, "standard output: rows: 2") {
		t.Errorf("%d, %q, %q", code, stdout, stderr)
	}
	canned.breaks = true
	canned.body = canned.body[:len(canned.body)-2]
	code, stdout, stderr = exported(t.Context(), env, "--gateway", server.URL, "-q")
	if code != cli.ExitIncomplete || stdout != "id,name\r\na,x\r\n" || !strings.Contains(stderr, "what went to standard output (rows: 1) is not all") {
		t.Errorf("%d, %q, %q", code, stdout, stderr)
	}
}

// TestEveryFlagOfAnExportReachesTheGateway as what it is in a body: one that was
// given and got lost would widen the export.
func TestEveryFlagOfAnExportReachesTheGateway(t *testing.T) {
	canned := twoRows()
	server := canned.serve(t)
	server.Start()
	for name, test := range map[string]struct {
		args []string
		want map[string]any
	}{
		"none":      {nil, map[string]any{}},
		"texts":     {[]string{"--keyword", " Анна  К", "--name=a,b", "--from=2018-05-01T00:00:00+03:00"}, map[string]any{"keyword": " Анна  К", "name": "a,b", "from": "2018-05-01T00:00:00+03:00"}},
		"numbers":   {[]string{"--companyId=7", "--limit", "5", "--timezone=-180"}, map[string]any{"companyId": 7., "limit": 5., "timezone": -180.}},
		"switches":  {[]string{"--showAllSupervised", "--markedAsSpam=false", "--clientBanned=1"}, map[string]any{"showAllSupervised": true, "markedAsSpam": false, "clientBanned": true}},
		"lists":     {[]string{"--fields=id, name", "--status=A", "--status", `b\,c,D`}, map[string]any{"fields": []any{"id", "name"}, "status": []any{"A", "b,c", "D"}}},
		"ids":       {[]string{"--companyIds", "3,1", "--companyIds=2"}, map[string]any{"companyIds": []any{3., 1., 2.}}},
		"an order":  {[]string{"--sort=-started_at,id"}, map[string]any{"sort": []any{"-started_at", "id"}}},
		"a zip":     {[]string{"--filename=may"}, map[string]any{"filename": "may"}},
		"empty":     {[]string{"--keyword=", "--status=", "--tags=a,", "--offsetValue", ""}, map[string]any{"keyword": "", "status": []any{""}, "tags": []any{"a", ""}, "offsetValue": ""}},
		"zero, off": {[]string{"--offset=0", "--showAllSupervised=false"}, map[string]any{"offset": 0., "showAllSupervised": false}},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := exported(t.Context(), cli.Environ{"SCOPEGATE_TOKEN=t"}, append([]string{"--gateway", server.URL}, test.args...)...)
			if code == cli.ExitUsage {
				t.Fatal(stderr)
			}
			test.want["format"] = "CSV"
			if diff := gocmp.Diff(test.want, canned.asked); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, args := range [][]string{{"--companyId="}, {"--companyIds=1,"}, {"--limit=5.0"}, {"--markedAsSpam="}, {"--markedAsSpam=yes"}, {"--name=\xff"}, {"--companyId"}} {
		canned.asked = nil
		if code, _, stderr := exported(t.Context(), cli.Environ{"SCOPEGATE_TOKEN=t"}, append([]string{"--gateway", server.URL}, args...)...); code != cli.ExitUsage || canned.asked != nil {
			t.Errorf("%q: exit code %d: %s", args, code, stderr)
		}
	}
}

func TestTheTokenIsThatOfTheFileIfThereIsOne(t *testing.T) {
	canned := twoRows()
	server := canned.serve(t)
	server.Start()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("\uFEFF\r\nof-the-file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := cli.Environ{"SCOPEGATE_TOKEN=of-the-variable"}
	for want, args := range map[string][]string{"Bearer of-the-variable": nil, "Bearer of-the-file": {"--token-file", file}} {
		if code, _, stderr := exported(t.Context(), env, append([]string{"--gateway", server.URL}, args...)...); code != cli.ExitOK || canned.token != want {
			t.Errorf("%d, %s: sent %q", code, stderr, canned.token)
		}
	}
}

func TestAnExportTrustsTheAuthoritiesItIsGiven(t *testing.T) {
	server := twoRows().serve(t)
	server.StartTLS()
	env := cli.Environ{"SCOPEGATE_TOKEN=t"}
	if code, _, stderr := exported(t.Context(), env, "--gateway", server.URL); code != cli.ExitFailed || !strings.Contains(stderr, "certificate") {
		t.Errorf("an unknown authority: %d, %s", code, stderr)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	text = append([]byte("\uFEFF"), text...) // as some editors save it
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := exported(t.Context(), env, "--gateway", server.URL, "--ca-file", file); code != cli.ExitOK {
		t.Errorf("%d, %s", code, stderr)
	}
}

// recordsOf reads a CSV.
func recordsOf(t *testing.T, text string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
