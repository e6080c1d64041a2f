package app

import (
	"crypto/tls"
	"fmt"
	"log/slog"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/gateway/httpserver"
)

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
