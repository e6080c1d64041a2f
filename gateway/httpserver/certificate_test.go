package httpserver

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/gateway/httpserver/servertest"
)

// certificateFiles are where a test's certificate is.
type certificateFiles struct {
	tb        testing.TB
	cert, key string
}

func newCertificateFiles(tb testing.TB) certificateFiles {
	tb.Helper()
	dir := tb.TempDir()
	return certificateFiles{tb, filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
}

func (f certificateFiles) write(cert, key []byte) {
	f.tb.Helper()
	for path, content := range map[string][]byte{f.cert: cert, f.key: key} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			f.tb.Fatal(err)
		}
	}
}

// serveTLS serves over TLS, looking at the files at each handshake.
func serveTLS(t *testing.T, files certificateFiles) (address string, logs *servertest.Buffer) {
	t.Helper()
	logs = &servertest.Buffer{}
	logger := slog.New(slog.NewJSONHandler(logs, nil))
	certificate, err := LoadCertificate(files.cert, files.key, logger)
	if err != nil {
		t.Fatal(err)
	}
	certificate.every = 0
	return serve(t, Options{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }),
		Logger:  logger, TLS: certificate.Config(),
	}), logs
}

// serialAt is the serial number of the certificate that is shown there.
func serialAt(t *testing.T, address string) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestAReplacedCertificateIsShownFromThenOn(t *testing.T) {
	files := newCertificateFiles(t)
	files.write(servertest.Certificate(t, 1))
	address, logs := serveTLS(t, files)
	if got := serialAt(t, address); got != 1 {
		t.Errorf("certificate %d is shown, want 1", got)
	}
	if logs.String() != "" {
		t.Errorf("logs: %s", logs.String())
	}
	files.write(servertest.Certificate(t, 2))
	if got := serialAt(t, address); got != 2 {
		t.Errorf("certificate %d is shown, want 2", got)
	}
	if got := strings.Count(logs.String(), "certificate was replaced"); got != 1 {
		t.Errorf("logs: %s", logs.String())
	}
}

func TestABrokenCertificateLeavesTheOldOneInForce(t *testing.T) {
	goodCert, goodKey := servertest.Certificate(t, 2)
	otherCert, _ := servertest.Certificate(t, 3)
	for name, breakIt := range map[string]func(certificateFiles){
		"garbage":             func(f certificateFiles) { f.write([]byte("garbage"), []byte("garbage")) },
		"cut":                 func(f certificateFiles) { f.write(goodCert[:len(goodCert)/2], goodKey) },
		"another one's key":   func(f certificateFiles) { f.write(otherCert, goodKey) },
		"the key yet to come": func(f certificateFiles) { _ = os.Remove(f.key) },
		"both gone":           func(f certificateFiles) { _, _ = os.Remove(f.cert), os.Remove(f.key) },
	} {
		t.Run(name, func(t *testing.T) {
			files := newCertificateFiles(t)
			files.write(servertest.Certificate(t, 1))
			address, logs := serveTLS(t, files)
			breakIt(files)
			for range 3 {
				if got := serialAt(t, address); got != 1 {
					t.Errorf("certificate %d is shown, want 1", got)
				}
			}
			if got := strings.Count(logs.String(), "the old one stays in use"); got != 1 {
				t.Errorf("logged %d times: %s", got, logs.String())
			}
			if strings.Contains(logs.String(), "PRIVATE") {
				t.Error("the key is logged")
			}
			files.write(goodCert, goodKey)
			if got := serialAt(t, address); got != 2 {
				t.Errorf("mended, certificate %d is shown, want 2", got)
			}
		})
	}
}

func TestACertificateThatCannotBeLoadedIsAnErrorAtStart(t *testing.T) {
	files := newCertificateFiles(t)
	if _, err := LoadCertificate(files.cert, files.key, nil); err == nil || !strings.Contains(err.Error(), files.cert) {
		t.Errorf("no files: %v", err)
	}
	cert, _ := servertest.Certificate(t, 1)
	_, key := servertest.Certificate(t, 2)
	files.write(cert, key)
	if _, err := LoadCertificate(files.cert, files.key, nil); err == nil || !strings.Contains(err.Error(), files.key) {
		t.Errorf("they do not fit: %v", err)
	}
}

func TestOldVersionsOfTLSAreRefused(t *testing.T) {
	files := newCertificateFiles(t)
	files.write(servertest.Certificate(t, 1))
	address, logs := serveTLS(t, files)
	for version, taken := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		if (err == nil) != taken {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
	if strings.Contains(logs.String(), "127.0.0.1") {
		t.Errorf("an address is logged: %s", logs.String())
	}
}

func TestHTTP2IsSpokenOverTLS(t *testing.T) {
	files := newCertificateFiles(t)
	cert, key := servertest.Certificate(t, 1)
	files.write(cert, key)
	address, _ := serveTLS(t, files)
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(cert)
	for _, http2 := range []bool{true, false} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, ForceAttemptHTTP2: http2}
		response, err := (&http.Client{Transport: transport}).Get("https://" + address)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		transport.CloseIdleConnections()
		if want := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[http2]; string(got) != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	response, err := http.Get("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusBadRequest || !bytes.Contains(got, []byte("HTTPS")) {
		t.Errorf("in clear: %d %s", response.StatusCode, got)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestASlowHandshakeIsCutOff(t *testing.T) {
	files := newCertificateFiles(t)
	files.write(servertest.Certificate(t, 1))
	certificate, err := LoadCertificate(files.cert, files.key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	conn := servertest.Dial(t, serve(t, Options{
		Handler: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler), TLS: certificate.Config(),
		ReadHeaderTimeout: 100 * time.Millisecond,
	}))
	_, _ = io.WriteString(conn, "\x16\x03\x01")
	_, _ = io.Copy(io.Discard, conn) // ends when the server closes
}
