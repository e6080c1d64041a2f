package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAGatewayThatStopsIsUnreadyFirstAndStillAnswers(t *testing.T) {
	g := serve(t, smallTree(t), "http.drain_delay=5s")
	token := g.supervisor(t, 1)
	g.awaitReady(t)
	stopped := make(chan error, 1)
	go func() { stopped <- g.stop() }()
	g.awaitStopping(t)
	if p := g.get(t, "/api/v1/sessions?showAllSupervised=true", token).page(t); p.Count != 4 {
		t.Errorf("while it drains it counts %d sessions, want 4", p.Count)
	}
	if r := g.send(t, http.MethodGet, g.admin+"/livez", "", nil); r.status != http.StatusOK {
		t.Errorf("livez answers %d while it drains", r.status)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestTheDirectoryCanComeFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "directory.ndjson")
	if err := os.WriteFile(file, []byte(companyLine(1, 0)+"\n"+companyLine(3, 1)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := serve(t, smallTree(t), "directory.file="+file)
	if p := g.get(t, "/api/v1/sessions?showAllSupervised=true", g.supervisor(t, 1)).page(t); p.Count != 2 {
		t.Errorf("counts %d sessions of companies 1 and 3, want 2", p.Count)
	}
}

func TestAGatewayThatCannotStartSaysWhatToMend(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	issuer := environ{`SCOPEGATE_IDENTITY_ISSUERS=[{issuer: i, jwks_url: "https://i.example/jwks", audiences: [a]}]`}
	for name, test := range map[string]struct {
		args []string
		env  environ
		code int
		says string
	}{
		"no issuer":                {nil, nil, exitUsage, "identity.issuers: must name at least one"},
		"an unknown setting":       {[]string{"--set", "lisen=x"}, nil, exitUsage, "--set lisen: there is no such setting"},
		"an unknown variable":      {nil, environ{"SCOPEGATE_LISEN=x"}, exitUsage, "SCOPEGATE_LISEN: there is no such setting"},
		"a file that is not there": {[]string{"--config", "/nowhere.yaml"}, nil, exitUsage, "/nowhere.yaml: no such file"},
		"a port in use":            {[]string{"--listen", taken.Addr().String()}, issuer, exitFailed, "setting listen: "},
		"an admin port in use": {
			[]string{"--listen", "127.0.0.1:0", "--set", "admin.listen=" + taken.Addr().String()}, issuer, exitFailed,
			"setting admin.listen: ",
		},
		"an unknown flag": {[]string{"--lisen", "x"}, nil, exitUsage, "--help"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), append([]string{"serve", "--data", t.TempDir()}, test.args...), test.env,
				streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("error = %v, want one that says %q", err, test.says)
			}
			if code := exitCode(err, io.Discard); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
		})
	}
}

func TestConfigCheckPrintsWhatIsInForce(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{
		"config", "check", "--set", "cache.fresh=4s", "--set", `cursor.keys=["MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]`,
	}, environ{`SCOPEGATE_IDENTITY_ISSUERS=[{issuer: i, jwks_url: "https://i.example/jwks", audiences: [a]}]`},
		streams{in: strings.NewReader(""), out: &out, err: io.Discard})
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
