package cache

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/cache/redistest"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestAKeyOfAnotherLengthIsAFault(t *testing.T) {
	_, err := New(newEngine(), testOptions(Options{Keys: [][]byte{sealingKey(1), []byte("short")}}))
	if err == nil || !strings.Contains(err.Error(), "key 2") || strings.Contains(err.Error(), "short") {
		t.Errorf("New: %v, want a fault of key 2 that does not show it", err)
	}
}

// wantShared checks that two caches on this Redis share what they find.
func wantShared(t *testing.T, o redisstore.Options) {
	t.Helper()
	r := newRedis(t, o)
	redistest.Eventually(t, "it takes and gives a value", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patient)
		defer cancel()
		if err := r.Set(ctx, "scopegate:test", []byte("value"), time.Minute); err != nil {
			return false
		}
		values, err := r.Get(ctx, []string{"scopegate:test", "scopegate:none"})
		return err == nil && string(values[0]) == "value" && values[1] == nil
	})
	// Two keys make names that are on different nodes of a cluster.
	shared := Options{Redis: r, Namespace: namespace(t), Keys: [][]byte{sealingKey(1), sealingKey(2)}, Fresh: time.Minute}
	stored(t, shared, query())
	if got := outcomes(mustSearch(t, newCache(t, newEngine(), shared), tenancytest.Scope(t, 1), query())); got != "redis redis" {
		t.Errorf("the second gateway: %s", got)
	}
}

func TestARedisWithAccountsIsSignedInTo(t *testing.T) {
	s := redistest.Start(t, "--user", "gateway", "on", ">secret", "~scopegate:*", "+@all", "--user", "default", "off")
	o := redisstore.Options{Addresses: []string{s.Address()}, Username: "gateway", Password: "secret"}
	wantShared(t, o)
	o.Password = "wrong"
	if err := newRedis(t, o).Set(t.Context(), "scopegate:test", nil, time.Minute); err == nil {
		t.Error("a wrong password was taken")
	}
}

func TestADatabaseIsChosen(t *testing.T) {
	s := redistest.Start(t)
	wantShared(t, redisstore.Options{Addresses: []string{s.Address()}, DB: 3})
	if info := s.Client().Info(t.Context(), "keyspace").Val(); !strings.Contains(info, "db3:") || strings.Contains(info, "db0:") {
		t.Errorf("keyspace: %s", info)
	}
}

func TestARedisBehindTLSIsReached(t *testing.T) {
	certificate, key, roots := selfSigned(t)
	port := redistest.FreePort(t)
	s := redistest.StartOn(t, port, "--port", "0", "--tls-port", strconv.Itoa(port), "--tls-auth-clients", "no",
		"--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate)
	wantShared(t, redisstore.Options{Addresses: []string{s.Address()}, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	strict := newRedis(t, redisstore.Options{Addresses: []string{s.Address()}, TLS: &tls.Config{MinVersion: tls.VersionTLS12}})
	var unknown x509.UnknownAuthorityError
	if err := strict.Set(t.Context(), "scopegate:test", nil, time.Minute); !errors.As(err, &unknown) {
		t.Errorf("an unknown certificate: %v", err)
	}
}

func TestCallsOfRedisAreSpansWithoutWhatIsStored(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	root, recorder := traced(t)
	r := newRedis(t, redisstore.Options{})
	o := Options{Redis: r, Namespace: namespace(t), Fresh: time.Minute}
	c := newCache(t, newEngine(), o)
	ctx, end := root("request")
	if _, err := c.Search(ctx, scope, query()); err != nil {
		t.Fatal(err)
	}
	end()
	c.shared.drain()

	cacheSpan := cacheSpans(recorder)[0].SpanContext()
	calls := 0
	for _, span := range recorder.Ended() {
		if span.InstrumentationScope().Name != "github.com/redis/go-redis/extra/redisotel" {
			continue
		}
		if span.SpanContext().TraceID() != cacheSpan.TraceID() {
			t.Errorf("span %s is not in the request's trace", span.Name())
		}
		if span.Parent().SpanID() == cacheSpan.SpanID() {
			calls++ // the others are of new connections, below the call that needed one
		}
		for name := range attributes(span) {
			if name == "db.statement" || strings.HasPrefix(name, "code.") {
				t.Errorf("span %s has %s", span.Name(), name)
			}
		}
	}
	if calls != 3 {
		t.Errorf("%d spans below the cache's, want those of a look and two writes", calls)
	}
	if spans := fmt.Sprintf("%+v", tracetest.SpanStubsFromReadOnlySpans(recorder.Ended())); strings.Contains(spans, namePrefix) {
		t.Error("a span tells the name of a value")
	}
}

func TestRedisIsMeasured(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	reader := sdkmetric.NewManualReader()
	r := newRedis(t, redisstore.Options{})
	o := Options{Redis: r, Namespace: namespace(t), Fresh: time.Minute}
	stored(t, o, query())
	o.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	c := newCache(t, newEngine(), o)
	mustSearch(t, c, scope, query())
	data := collect(t, reader)
	hits := data["scopegate.cache.lookups"].(metricdata.Sum[int64]).DataPoints
	for _, point := range hits {
		if got := label(point.Attributes, "result", "tier"); got != "hit redis" || point.Value != 1 {
			t.Errorf("lookups: %s %d", got, point.Value)
		}
	}
	calls := data["scopegate.cache.redis.duration"].(metricdata.Histogram[float64]).DataPoints
	if len(hits) != 2 || len(calls) != 1 || label(calls[0].Attributes, "operation", "outcome") != "get ok" {
		t.Errorf("%d lookups, calls %+v", len(hits), calls)
	}
	breaker := func() int64 {
		return collect(t, reader)["scopegate.cache.redis.breaker"].(metricdata.Gauge[int64]).DataPoints[0].Value
	}
	if got := breaker(); got != 0 {
		t.Errorf("the breaker is at %d, want 0: closed", got)
	}
	c.shared.store.breaker.Open()
	if got := breaker(); got != 2 {
		t.Errorf("the breaker is at %d, want 2: open", got)
	}
}

// selfSigned makes a certificate of 127.0.0.1 and who trusts it.
func selfSigned(t *testing.T) (certificate, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, bytes []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	certificate, key = write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", pkcs8)
	roots = x509.NewCertPool()
	pemBytes, err := os.ReadFile(certificate)
	if err != nil || !roots.AppendCertsFromPEM(pemBytes) {
		t.Fatal("the certificate does not load", err)
	}
	return certificate, key, roots
}
