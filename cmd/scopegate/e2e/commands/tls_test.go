package commands_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

func TestTheAPIIsServedOverTLSWhenAsked(t *testing.T) {
	trusted, settings := harness.CertificateOf(t)
	g := harness.Serve(t, harness.SmallTree(t), settings...)
	g.Client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, ForceAttemptHTTP2: true}
	if !strings.HasPrefix(g.URL, "https://") {
		t.Errorf("it says that it listens on %s", g.URL)
	}
	if p := g.Get(t, "/api/v1/sessions?showAllSupervised=true", g.Supervisor(t, 1)).Page(t); p.Count != 4 {
		t.Errorf("counts %d sessions, want 4", p.Count)
	}
	if r := g.Send(t, http.MethodGet, g.Admin+"/readyz", "", nil); r.Status != http.StatusOK {
		t.Errorf("the admin listener: %d", r.Status)
	}
}

func TestAGatewayWithoutItsCertificateDoesNotStart(t *testing.T) {
	err := cli.Run(t.Context(), []string{
		"serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--set", "admin.listen=127.0.0.1:0",
		"--set", `identity.issuers=[{issuer: i, jwks_url: "http://127.0.0.1:1/", audiences: [a]}]`,
		"--set", "tls.cert_file=/nowhere/tls.crt", "--set", "tls.key_file=/nowhere/tls.key",
	}, nil, cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "tls.cert_file") {
		t.Errorf("error = %v", err)
	}
}
