package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/ndjson"
	"github.com/scopegate/scopegate/plainfile"
	"github.com/scopegate/scopegate/search/sqlite"
	"github.com/scopegate/scopegate/tenancy"
)

// fileChecks look at the files and folders that a configuration names, as the
// gateway would use them. They change nothing but that a file is made, and
// removed, in a folder that must be writable.
type fileChecks struct {
	faults   []error
	warnings []string
}

func checkFiles(ctx context.Context, cfg config.Config) fileChecks {
	var c fileChecks
	c.certificate(cfg.TLS)
	c.authorities("elasticsearch.ca_file", cfg.Elasticsearch.CAFile)
	c.authorities("redis.ca_file", cfg.Redis.CAFile)
	if path := cfg.Directory.File; path != "" {
		_, err := tenancy.FileSource(path).Load(ctx)
		c.fault("directory.file", path, err)
	}
	if path := cfg.Identity.Revocations; path != "" {
		_, err := tenancy.RevocationsFile(path).Load(ctx)
		c.fault("identity.revocations", path, err)
	}
	if path := cfg.Audit.File; path != "" {
		c.fault("audit.file", path, appendable(path))
	}
	if dir := app.DataFolder(cfg); dir != "" {
		c.fault("sqlite.dir", dir, dataFolder(dir))
	}
	temp := cfg.Exports.TempDir
	if temp == "" {
		temp = os.TempDir()
	}
	c.fault("exports.temp_dir", temp, writable(temp))
	return c
}

// fault notes an error about a file. Those of the file system name the path a
// second time.
func (c *fileChecks) fault(key, path string, err error) {
	var pathError *fs.PathError
	if errors.As(err, &pathError) && pathError.Path == path {
		err = pathError.Err
	}
	if err != nil {
		c.faults = append(c.faults, fmt.Errorf("%s: %s: %w", key, path, err))
	}
}

func (c *fileChecks) authorities(key, path string) {
	_, err := app.ReadAuthorities(path)
	if errors.Is(err, app.ErrNoCertificate) {
		err = app.ErrNoCertificate // without the path
	}
	c.fault(key, path, err)
}

var (
	errNoKey    = errors.New("holds no private key in PEM that fits the certificate of tls.cert_file (an encrypted one is not taken)")
	errNoFolder = errors.New("is no folder")
)

func (c *fileChecks) certificate(cfg config.TLS) {
	if cfg.CertFile == "" || cfg.KeyFile == "" {
		return
	}
	chain, certErr := os.ReadFile(cfg.CertFile)
	key, keyErr := os.ReadFile(cfg.KeyFile)
	var leaf *x509.Certificate
	chain, key = ndjson.TrimMark(chain), ndjson.TrimMark(key)
	if certErr == nil {
		leaf, certErr = firstCertificate(chain)
	}
	if keyErr == nil && certErr == nil {
		if _, err := tls.X509KeyPair(chain, key); err != nil {
			keyErr = errNoKey
		}
	}
	c.fault("tls.cert_file", cfg.CertFile, certErr)
	c.fault("tls.key_file", cfg.KeyFile, keyErr)
	if certErr == nil && time.Now().After(leaf.NotAfter) {
		c.warnings = append(c.warnings, fmt.Sprintf("tls.cert_file: %s: the certificate has expired on %s", cfg.CertFile, leaf.NotAfter.UTC().Format(time.DateOnly)))
	}
}

// firstCertificate is the one that a chain begins with.
func firstCertificate(chain []byte) (*x509.Certificate, error) {
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, app.ErrNoCertificate
		}
		return leaf, nil
	}
	return nil, app.ErrNoCertificate
}

// appendable reports why lines could not be appended to a file that may not be
// there yet. What is neither a file nor a folder, such as a pipe, is not opened:
// that could wait for a reader.
func appendable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return writable(filepath.Dir(path))
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("is a folder")
	case !info.Mode().IsRegular():
		return nil
	}
	file, err := plainfile.Open(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	return file.Close()
}

// dataFolder reports why the embedded engine could not use a folder, which it
// makes when it is not there, and those above it too.
func dataFolder(dir string) error {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for above := absolute; ; above = filepath.Dir(above) {
		_, err := os.Stat(above)
		if errors.Is(err, fs.ErrNotExist) && above != filepath.Dir(above) {
			continue
		}
		if err = errors.Join(err, writable(above)); err != nil || above != absolute {
			return err
		}
		break
	}
	file := filepath.Join(dir, sqlite.FileName)
	if _, err := os.Stat(file); err != nil {
		return nil //nolint:nilerr // it is made
	}
	return appendable(file)
}

func writable(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return errNoFolder
	}
	file, err := os.CreateTemp(dir, ".scopegate-check-*")
	if err != nil {
		var pathError *fs.PathError
		if errors.As(err, &pathError) {
			err = pathError.Err // the path is of the file that was tried
		}
		return fmt.Errorf("%s is not writable: %w", dir, err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}
