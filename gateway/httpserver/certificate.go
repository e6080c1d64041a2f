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

// checkInterval is the shortest time between two reads of a certificate's files.
// Handshakes read them, so that an idle server does not.
const checkInterval = 2 * time.Second

// Certificate is a TLS certificate in two files, which may be replaced at any time:
// new handshakes then use the new one. Safe for use by several goroutines.
type Certificate struct {
	certFile, keyFile string
	logger            *slog.Logger
	every             time.Duration
	current           atomic.Pointer[tls.Certificate]

	mu      sync.Mutex // held by the handshake that reads the files
	checked time.Time
	cert    []byte // what was read last, valid or not
	key     []byte
	readErr string
}

// LoadCertificate reads a certificate chain and its key, both PEM. Its error names
// the files.
func LoadCertificate(certFile, keyFile string, logger *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, logger: logger, every: checkInterval, checked: time.Now()}
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

// Config returns the configuration of a listener: TLS 1.2 or later, with the
// certificate in the files.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

// get returns the certificate for a handshake. One handshake at a time reads the
// files; the others use the current certificate.
func (c *Certificate) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.mu.TryLock() {
		defer c.mu.Unlock()
		if time.Since(c.checked) >= c.every {
			c.reload(hello.Context())
			c.checked = time.Now()
		}
	}
	return c.current.Load(), nil
}

// reload uses a new certificate in the files. If they cannot be read, or do not fit
// each other since only one is written yet, the old certificate stays in use. That is
// logged once for each such state of the files.
func (c *Certificate) reload(ctx context.Context) {
	oldCert, oldKey, oldErr := c.cert, c.key, c.readErr
	if err := c.read(); err != nil {
		if c.readErr = err.Error(); c.readErr != oldErr {
			c.logRejected(ctx, err)
		}
		return
	}
	c.readErr = ""
	if bytes.Equal(oldCert, c.cert) && bytes.Equal(oldKey, c.key) {
		return
	}
	loaded, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil {
		c.logRejected(ctx, err)
		return
	}
	c.current.Store(&loaded)
	c.logger.LogAttrs(ctx, slog.LevelInfo, "the TLS certificate was replaced", slog.Time("not_after", loaded.Leaf.NotAfter))
}

func (c *Certificate) logRejected(ctx context.Context, err error) {
	c.logger.LogAttrs(ctx, slog.LevelError, "the new TLS certificate cannot be used: the old one stays in use", slog.Any("error", err))
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
	mark := []byte("\uFEFF") // some editors write a byte order mark, which PEM does not allow
	c.cert, c.key = bytes.TrimPrefix(cert, mark), bytes.TrimPrefix(key, mark)
	return nil
}
