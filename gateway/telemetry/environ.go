package telemetry

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// checkEnviron refuses invalid variables of the OTLP exporters
// (opentelemetry.io/docs/specs/otel/protocol/exporter). The SDK would use defaults in
// their place, and send to localhost instead of the collector. The errors do not have
// the values: a header may be a secret.
func checkEnviron() error {
	var faults []error
	for _, kind := range []struct {
		name  string
		check func(string) error
	}{
		{"ENDPOINT", checkEndpoint}, {"TIMEOUT", checkTimeout}, {"HEADERS", checkHeaders}, {"CERTIFICATE", checkCertificate},
	} {
		for _, signal := range []string{"", "TRACES_", "METRICS_"} {
			name := "OTEL_EXPORTER_OTLP_" + signal + kind.name
			value := strings.TrimSpace(os.Getenv(name))
			if value == "" {
				continue
			}
			if err := kind.check(value); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	return errors.Join(faults...)
}

func checkEndpoint(value string) error {
	u, err := url.Parse(value)
	switch {
	case err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "":
		return nil
	case err == nil && (u.Scheme == "unix" || u.Scheme == "dns") && u.Opaque+u.Path != "": // names of gRPC
		return nil
	}
	return errors.New("must be a URL with its scheme, such as http://HOST:4317")
}

func checkTimeout(value string) error {
	if n, err := strconv.Atoi(value); err != nil || n < 0 {
		return errors.New("must be a number of milliseconds")
	}
	return nil
}

func checkHeaders(value string) error {
	for pair := range strings.SplitSeq(value, ",") {
		name, text, ok := strings.Cut(pair, "=")
		if _, err := url.PathUnescape(text); !ok || err != nil || strings.TrimSpace(name) == "" {
			return errors.New("must be NAME=VALUE, several with commas, the values percent-encoded")
		}
	}
	return nil
}

func checkCertificate(value string) error {
	pem, err := os.ReadFile(value) // #nosec G304 G703 -- the operator names it
	if err != nil {
		return err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate in PEM", value)
	}
	return nil
}
