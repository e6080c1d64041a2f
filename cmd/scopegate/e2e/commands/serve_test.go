package commands_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

func TestAGatewayThatStopsIsUnreadyFirstAndStillAnswers(t *testing.T) {
	g := harness.Serve(t, harness.SmallTree(t), "http.drain_delay=5s")
	token := g.Supervisor(t, 1)
	g.AwaitReady(t)
	stopped := make(chan error, 1)
	go func() { stopped <- g.Stop() }()
	g.AwaitStopping(t)
	if p := g.Get(t, "/api/v1/sessions?showAllSupervised=true", token).Page(t); p.Count != 4 {
		t.Errorf("while it drains it counts %d sessions, want 4", p.Count)
	}
	if r := g.Send(t, http.MethodGet, g.Admin+"/livez", "", nil); r.Status != http.StatusOK {
		t.Errorf("livez answers %d while it drains", r.Status)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestTheDirectoryCanComeFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "directory.ndjson")
	if err := os.WriteFile(file, []byte(harness.CompanyLine(1, 0)+"\n"+harness.CompanyLine(3, 1)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := harness.Serve(t, harness.SmallTree(t), "directory.file="+file)
	if p := g.Get(t, "/api/v1/sessions?showAllSupervised=true", g.Supervisor(t, 1)).Page(t); p.Count != 2 {
		t.Errorf("counts %d sessions of companies 1 and 3, want 2", p.Count)
	}
}

func TestAGatewayThatCannotStartSaysWhatToMend(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	issuer := cli.Environ{`SCOPEGATE_IDENTITY_ISSUERS=[{issuer: i, jwks_url: "https://i.example/jwks", audiences: [a]}]`}
	for name, test := range map[string]struct {
		args []string
		env  cli.Environ
		code int
		says string
	}{
		"no issuer":                {nil, nil, cli.ExitUsage, "identity.issuers: must name at least one"},
		"an unknown setting":       {[]string{"--set", "lisen=x"}, nil, cli.ExitUsage, "--set lisen: there is no such setting"},
		"an unknown variable":      {nil, cli.Environ{"SCOPEGATE_LISEN=x"}, cli.ExitUsage, "SCOPEGATE_LISEN: there is no such setting"},
		"a file that is not there": {[]string{"--config", "/nowhere.yaml"}, nil, cli.ExitUsage, "/nowhere.yaml: no such file"},
		"a port in use":            {[]string{"--listen", taken.Addr().String()}, issuer, cli.ExitFailed, "setting listen: "},
		"an admin port in use": {
			[]string{"--listen", "127.0.0.1:0", "--set", "admin.listen=" + taken.Addr().String()}, issuer, cli.ExitFailed,
			"setting admin.listen: ",
		},
		"an unknown flag": {[]string{"--lisen", "x"}, nil, cli.ExitUsage, "--help"},
	} {
		t.Run(name, func(t *testing.T) {
			err := cli.Run(t.Context(), append([]string{"serve", "--data", t.TempDir()}, test.args...), test.env,
				cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("error = %v, want one that says %q", err, test.says)
			}
			if code := cli.ExitCode(err, io.Discard); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
		})
	}
}

func TestConfigCheckPrintsWhatIsInForce(t *testing.T) {
	var out bytes.Buffer
	err := cli.Run(t.Context(), []string{
		"config", "check", "--set", "cache.fresh=4s", "--set", `cursor.keys=["MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]`,
	}, cli.Environ{`SCOPEGATE_IDENTITY_ISSUERS=[{issuer: i, jwks_url: "https://i.example/jwks", audiences: [a]}]`},
		cli.Streams{In: strings.NewReader(""), Out: &out, Err: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fresh: 4s", "issuer: i", "********", "max_size: 256MiB"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "MDEyMzQ1") {
		t.Errorf("shows a secret:\n%s", out.String())
	}
}
