package httpserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// certificateEvery is how often the files of a certificate are looked at, at
// most: handshakes do it, so that an idle gateway does nothing.
const certificateEvery = 2 * time.Second

// Certificate is a TLS certificate in files, which may be replaced at any time.
// Safe for use by several goroutines.
type Certificate struct {
	certFile, keyFile string
	logger            *slog.Logger
	every             time.Duration
	current           atomic.Pointer[tls.Certificate]

	mu      sync.Mutex // held by the one handshake that looks
	looked  time.Time
	cert    []byte // what was read last, good or not
	key     []byte
	readErr string
}

// LoadCertificate reads a certificate chain and its key, both PEM.
func LoadCertificate(certFile, keyFile string, logger *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, logger: logger, every: certificateEvery, looked: time.Now()}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("TLS certificate: %w", err)
	}
	loaded, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate in %s and %s: %w", certFile, keyFile, err)
	}
	c.current.Store(&loaded)
	return c, nil
}

// Config is for a listener: TLS 1.2 and later, with the certificate that is in
// the files.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

// get is the certificate for one handshake. Only one handshake looks at the
// files; the others take what there is.
func (c *Certificate) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.mu.TryLock() {
		defer c.mu.Unlock()
		if time.Since(c.looked) >= c.every {
			c.reload(hello.Context())
			c.looked = time.Now()
		}
	}
	return c.current.Load(), nil
}

// reload takes what is new in the files. Files that cannot be read, or do not
// fit each other, as when one of them has yet to be written, leave the old
// certificate in force; that is told once for each such state of the files.
func (c *Certificate) reload(ctx context.Context) {
	oldCert, oldKey, oldErr := c.cert, c.key, c.readErr
	if err := c.read(); err != nil {
		if c.readErr = err.Error(); c.readErr != oldErr {
			c.keepOld(ctx, err)
		}
		return
	}
	c.readErr = ""
	if bytes.Equal(oldCert, c.cert) && bytes.Equal(oldKey, c.key) {
		return
	}
	loaded, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil {
		c.keepOld(ctx, err)
		return
	}
	c.current.Store(&loaded)
	c.logger.LogAttrs(ctx, slog.LevelInfo, "the TLS certificate was replaced", slog.Time("not_after", loaded.Leaf.NotAfter))
}

func (c *Certificate) keepOld(ctx context.Context, err error) {
	c.logger.LogAttrs(ctx, slog.LevelError, "the new TLS certificate cannot be used: the old one stays in force", slog.Any("error", err))
}

// read reads both files or, when one cannot be read, neither.
func (c *Certificate) read() error {
	cert, err := os.ReadFile(c.certFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(c.keyFile)
	if err != nil {
		return err
	}
	mark := []byte("\uFEFF") // some editors put a byte order mark, which PEM does not know
	c.cert, c.key = bytes.TrimPrefix(cert, mark), bytes.TrimPrefix(key, mark)
	return nil
}
