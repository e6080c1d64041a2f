package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificateOf writes a certificate of 127.0.0.1, and the settings that name
// it.
func certificateOf(t *testing.T) (trusted *x509.CertPool, settings []string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	made, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir, trusted := t.TempDir(), x509.NewCertPool()
	for name, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: made}, "tls.key": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(filepath.Join(dir, name), append([]byte("\uFEFF"), pem.EncodeToMemory(block)...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trusted.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made}))
	return trusted, []string{"tls.cert_file=" + filepath.Join(dir, "tls.crt"), "tls.key_file=" + filepath.Join(dir, "tls.key")}
}

func TestTheAPIIsServedOverTLSWhenAsked(t *testing.T) {
	trusted, settings := certificateOf(t)
	g := serve(t, smallTree(t), settings...)
	g.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, ForceAttemptHTTP2: true}
	if !strings.HasPrefix(g.url, "https://") {
		t.Errorf("it says that it listens on %s", g.url)
	}
	if p := g.get(t, "/api/v1/sessions?showAllSupervised=true", g.supervisor(t, 1)).page(t); p.Count != 4 {
		t.Errorf("counts %d sessions, want 4", p.Count)
	}
	if r := g.send(t, http.MethodGet, g.admin+"/readyz", "", nil); r.status != http.StatusOK {
		t.Errorf("the admin listener: %d", r.status)
	}
}

func TestAGatewayWithoutItsCertificateDoesNotStart(t *testing.T) {
	err := run(t.Context(), []string{
		"serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--set", "admin.listen=127.0.0.1:0",
		"--set", `identity.issuers=[{issuer: i, jwks_url: "http://127.0.0.1:1/", audiences: [a]}]`,
		"--set", "tls.cert_file=/nowhere/tls.crt", "--set", "tls.key_file=/nowhere/tls.key",
	}, nil, streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "tls.cert_file") {
		t.Errorf("error = %v", err)
	}
}
