package app

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/gateway"
	"github.com/scopegate/scopegate/gateway/httpserver"
	"github.com/scopegate/scopegate/gateway/telemetry"
	"github.com/scopegate/scopegate/limits"
	"github.com/scopegate/scopegate/ndjson"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/tenancy"
)

func limitsOf(cfg config.Limits) gateway.Limits {
	return gateway.Limits{
		Address: limits.Rate(cfg.Address), Account: limits.Rate(cfg.Account), Company: limits.Rate(cfg.Company),
	}
}

func exportsOf(cfg config.Exports, temp *export.Temp) gateway.Exports {
	perCompany := cfg.PerCompany
	if perCompany == 0 {
		perCompany = (cfg.AtOnce + 1) / 2
	}
	return gateway.Exports{
		AtOnce: cfg.AtOnce, PerAccount: cfg.PerAccount, PerCompany: perCompany, MaxRows: int64(cfg.MaxRows),
		StallTimeout: cfg.StallTimeout, MaxDuration: cfg.MaxDuration, Temp: temp,
	}
}

// tempOf is the room for workbooks, which is tried before anybody asks for one.
func tempOf(cfg config.Exports, closers *Closers) (*export.Temp, error) {
	temp, err := export.OpenTemp(cfg.TempDir, int64(cfg.TempMax))
	switch {
	case err != nil && cfg.TempDir == "":
		return nil, fmt.Errorf("setting exports.temp_dir is empty, which stands for the system's folder: %w", err)
	case err != nil:
		return nil, fmt.Errorf("setting exports.temp_dir: %w", err)
	}
	closers.push(temp.Close)
	return temp, nil
}

// limiterOf counts in Redis if there is one, else in this process.
func limiterOf(cfg config.Config, shared *redisstore.Client, logger *slog.Logger, closers *Closers) (gateway.Limiter, error) {
	process := limits.NewProcess(limits.DefaultMaxKeys)
	if shared == nil {
		return process, nil
	}
	keys, err := cfg.Cache.DecodedKeys()
	if err != nil {
		return nil, err
	}
	// There is a key wherever there is a Redis: see config's Validate. What
	// names budgets must not be what seals answers.
	secret, err := hkdf.Key(sha256.New, keys[0], nil, "scopegate rate limits 1", sha256.Size)
	if err != nil {
		return nil, err
	}
	limiter, err := limits.NewRedis(limits.RedisOptions{
		Client: shared.Pool(), Budget: cfg.Redis.Budget, Secret: secret, Namespace: cfg.Cache.Namespace,
		Process: process, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	closers.push(func() error { limiter.Close(); return nil })
	return limiter, nil
}

// ErrNoCertificate is the error of a file of authorities without one.
var ErrNoCertificate = errors.New("holds no certificate in PEM")

// ReadAuthorities reads a PEM file; nil, the system's, when there is none.
func ReadAuthorities(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // nil is the system's authorities
	}
	pem, err := os.ReadFile(path) // #nosec G304 -- the operator names it
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(ndjson.TrimMark(pem)) {
		return nil, fmt.Errorf("%s: %w", path, ErrNoCertificate)
	}
	return authorities, nil
}

func verifierOptions(all config.Config, logger *slog.Logger) tenancy.VerifierOptions {
	cfg := all.Identity
	o := tenancy.VerifierOptions{
		CompanyClaim: cfg.CompanyClaim, RolesClaim: cfg.RolesClaim, SupervisorRole: cfg.SupervisorRole,
		EveryoneSupervises: cfg.EveryoneSupervises, MaxToken: int(cfg.MaxToken), Logger: logger,
		RefreshRevocations: all.Directory.Refresh, MaxStaleRevocations: all.Directory.MaxStale,
	}
	if cfg.Revocations != "" {
		o.Revocations = tenancy.RevocationsFile(cfg.Revocations)
	}
	for _, issuer := range cfg.Issuers {
		bound := make([]tenancy.CompanyID, len(issuer.Companies))
		for i, id := range issuer.Companies {
			bound[i] = tenancy.CompanyID(id)
		}
		o.Issuers = append(o.Issuers, tenancy.IssuerOptions{
			Issuer: issuer.Issuer, JWKSURL: issuer.JWKSURL, Audiences: issuer.Audiences,
			Algorithms: issuer.Algorithms, Companies: bound,
		})
	}
	return o
}

func directoryOptions(p Parts, logger *slog.Logger) tenancy.DirectoryOptions {
	cfg := p.Config.Directory
	var source tenancy.Source = p.Store
	if cfg.File != "" {
		source = tenancy.FileSource(cfg.File)
	}
	return tenancy.DirectoryOptions{Source: source, RefreshEvery: cfg.Refresh, MaxStale: cfg.MaxStale, CheckEmpty: cfg.File != "", Logger: logger}
}

// cursorKeys are the configured ones, or one of this process's own.
func cursorKeys(cfg config.Cursor, logger *slog.Logger) ([][]byte, error) {
	keys, err := cfg.Decoded()
	if err != nil || len(keys) > 0 {
		return keys, err
	}
	logger.Warn("cursor.keys is not set: cursors will not outlive this process nor work on another gateway")
	key := make([]byte, 32)
	_, err = rand.Read(key)
	return [][]byte{key}, err
}

func serverOptions(all config.Config, encryption *tls.Config, handler http.Handler, readiness *httpserver.Readiness, tel *telemetry.Telemetry) httpserver.Options {
	cfg := all.HTTP
	return httpserver.Options{
		Name: "api", Handler: handler, Readiness: readiness, Logger: tel.Logger, MeterProvider: tel.MeterProvider,
		MaxConnections: cfg.MaxConnections,
		// An export's reader has longer, and shares its connection with others.
		StallTimeout: max(cfg.StallTimeout, all.Exports.StallTimeout),
		WriteTimeout: cfg.RequestTimeout + httpserver.DefaultReadTimeout, TLS: encryption,
		// Twice what the API takes, so that it can tell by a problem.
		MaxHeaderBytes: 2 * int(cfg.MaxHeader), DrainDelay: cfg.DrainDelay, StopTimeout: cfg.StopTimeout,
	}
}

// listenerTLS is nil when the API is served in clear.
func listenerTLS(cfg config.TLS, logger *slog.Logger) (*tls.Config, error) {
	if cfg.CertFile == "" {
		return nil, nil //nolint:nilnil // nil is what httpserver.Options takes for no TLS
	}
	certificate, err := httpserver.LoadCertificate(cfg.CertFile, cfg.KeyFile, logger)
	if err != nil {
		return nil, fmt.Errorf("settings tls.cert_file and tls.key_file: %w", err)
	}
	return certificate.Config(), nil
}

func schemeOf(cfg *tls.Config) string {
	if cfg == nil {
		return "http://"
	}
	return "https://"
}
