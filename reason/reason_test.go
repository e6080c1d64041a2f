package reason_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/tcptest"
)

func TestACauseIsSaidInWords(t *testing.T) {
	full := &os.PathError{Op: "open", Path: "/tmp/x", Err: syscall.ENOSPC}
	for want, err := range map[string]error{
		"":                                                   nil,
		"open /tmp/x: no space left on device":               fmt.Errorf("hidden: %w", full),
		"rename /a /b: permission denied":                    &os.LinkError{Op: "rename", Old: "/a", New: "/b", Err: syscall.EACCES},
		"fsync: input/output error":                          os.NewSyscallError("fsync", syscall.EIO),
		"deadline exceeded":                                  fmt.Errorf("hidden: %w", context.DeadlineExceeded),
		"cancelled; no space left on device":                 fmt.Errorf("hidden: %w and %w", context.Canceled, syscall.ENOSPC),
		"the disk is full":                                   errors.Join(errors.New("hidden"), fmt.Errorf("hidden: %w", reason.Text("the disk is full"))),
		"dial: no such host: es.example":                     &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "es.example", Err: "hidden", IsNotFound: true}},
		"dial: looking up the host timed out: es":            &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "es", IsTimeout: true}},
		"dial: the host cannot be looked up: es":             &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "es"}},
		"write: broken pipe":                                 &net.OpError{Op: "write", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 50001}, Err: syscall.EPIPE},
		"connect to 192.0.2.7:9200: connection refused":      &net.OpError{Op: "dial", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 9200}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		"certificate signed by an unknown authority":         &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		"certificate is not for the host name es.example":    x509.HostnameError{Certificate: &x509.Certificate{}, Host: "es.example"},
		"certificate has expired or is not yet valid":        x509.CertificateInvalidError{Reason: x509.Expired, Detail: "hidden"},
		"connection was closed by the other end":             fmt.Errorf("hidden: %w", io.EOF),
		"connection ended early":                             io.ErrUnexpectedEOF,
		"*fmt.wrapError > *errors.errorString":               fmt.Errorf("hidden: %w", errors.New("hidden")),
		"*errors.joinError > *errors.errorString":            errors.Join(errors.New("hidden"), errors.New("hidden")),
		"Redis refused the user or password (WRONGPASS)":     redisError("WRONGPASS invalid username-password pair or user is disabled. hidden"),
		"Redis wants a password (NOAUTH)":                    fmt.Errorf("hidden: %w", redisError("NOAUTH Authentication required.")),
		"Redis user lacks a permission (NOPERM)":             redisError("NOPERM hidden"),
		"Redis refused the password":                         redisError("ERR invalid password"),
		"Redis has no password, but redis.password is set":   redisError("ERR AUTH <password> called without any password configured"),
		"Redis has no such database: see redis.db":           redisError("ERR DB index is out of range"),
		"Redis answered ERR":                                 redisError("ERR hidden"),
		"Redis answered with an error":                       redisError("HIDDEN hidden"),
		"Redis is loading its data (LOADING)":                redisError("LOADING Redis is loading the dataset in memory"),
		"Redis Cluster is down (CLUSTERDOWN)":                redisError("CLUSTERDOWN Hash slot not served"),
		"Redis is a replica that takes no writes (READONLY)": redisError("READONLY You can't write against a read only replica."),
	} {
		got := reason.Of(err)
		if got != want {
			t.Errorf("%#v:\n got %q\nwant %q", err, got, want)
		}
		if strings.Contains(strings.ToLower(got), "hidden") {
			t.Errorf("%#v shows its text: %q", err, got)
		}
	}
}

type redisError string

func (e redisError) Error() string { return string(e) }
func (redisError) RedisError()     {}

// Errors in the form that the standard library returns.
func TestAFailedConnectionSaysOfWhichKindItIs(t *testing.T) {
	quiet := func(s *httptest.Server) *httptest.Server {
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		t.Cleanup(s.Close)
		return s
	}
	plain := quiet(httptest.NewServer(http.NotFoundHandler()))
	encrypted := quiet(httptest.NewTLSServer(http.NotFoundHandler()))
	closed := tcptest.Serve(t, func(net.Conn) {}) // closes it at once
	roots := x509.NewCertPool()
	roots.AddCert(encrypted.Certificate())
	trusting := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "other.example"}}}
	for name, test := range map[string]struct {
		client *http.Client
		url    string
		want   string
	}{
		"refused":           {http.DefaultClient, "http://" + tcptest.Refused(t), "connection refused"},
		"closed":            {http.DefaultClient, "http://" + closed, "connection "},
		"TLS in clear":      {http.DefaultClient, strings.Replace(plain.URL, "http:", "https:", 1), "does not speak TLS"},
		"unknown authority": {http.DefaultClient, encrypted.URL, "certificate signed by an unknown authority"},
		"another name":      {trusting, encrypted.URL, "certificate is not for the host name other.example"},
		"no host":           {http.DefaultClient, "http://no-such-host.invalid", "no-such-host.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			response, err := test.client.Get(test.url + "/secret?q=secret")
			if err == nil {
				_ = response.Body.Close()
				t.Fatal("it answers")
			}
			if got := reason.Of(err); !strings.Contains(got, test.want) || strings.Contains(got, "secret") {
				t.Errorf("%v is told as %q, want %q", err, got, test.want)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	_, err := (&net.Dialer{}).DialContext(ctx, "tcp", plain.Listener.Addr().String())
	if got := reason.Of(err); !strings.Contains(got, "deadline exceeded") && !strings.Contains(got, "timeout") {
		t.Errorf("%v is told as %q", err, got)
	}
}

func TestTheFileSystemsErrorsKeepPathAndReason(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "file")
	_, err := os.Create(path)
	if got, want := reason.Of(fmt.Errorf("hidden: %w", err)), "open "+path+": no such file or directory"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheLastCauseIsReported(t *testing.T) {
	var last reason.Last
	last.Note(nil)
	if last.String() != "" {
		t.Errorf("nothing failed, but %q", &last)
	}
	last.Note(syscall.ENOSPC)
	last.Note(nil)
	if got := last.String(); got != "no space left on device" {
		t.Errorf("got %q", got)
	}
}
