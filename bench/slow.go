package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/sync/errgroup"
)

const (
	// slowPage is what slow readers ask for: the largest page of a search.
	slowPage = listPath + "?showAllSupervised=true&limit=1000"
	// slowStreams are requests on each connection of HTTP/2, as many as there may be.
	slowStreams = 100
	// slowBuffer is the receive buffer of slow readers of HTTP/1.1, in bytes.
	slowBuffer = 4 << 10
	// smallestWindow leaves a stream of HTTP/2 one byte of its answer.
	smallestWindow = 1
)

// slowCommand measures the memory that callers take who read nothing.
type slowCommand struct {
	Scopegate string   `default:"bin/scopegate" type:"existingfile" help:"The gateway's program."`
	Sessions  int      `default:"20000" help:"Sessions to search (default ${default})."`
	Seconds   int      `default:"10" help:"How long each goes on (default ${default})."`
	HTTP2     int      `default:"6" help:"Connections of HTTP/2, of 100 requests each (default ${default})."`
	HTTP1     int      `default:"400" help:"Connections of HTTP/1.1 (default ${default})."`
	Idle      int      `default:"5000" help:"Idle connections (default ${default})."`
	Path      string   `default:"${slow_page}" help:"What slow readers ask for (default ${default})."`
	Header    []string `placeholder:"NAME:VALUE" help:"Further headers of theirs, such as accept-encoding:gzip."`
	Set       []string `placeholder:"KEY=VALUE" help:"Settings of the gateway."`
	Out       string   `type:"path" placeholder:"FILE" help:"Page of the documentation whose block is replaced; none: print only."`
}

// slowCase is one way to take memory.
type slowCase struct {
	name string
	tls  bool
	take func(ctx context.Context, gateway *server, token string) (taken int, err error)
}

// Run measures and reports.
func (c slowCommand) Run(ctx context.Context, std streams) (err error) {
	b, err := newBench(ctx, program(c.Scopegate), c.Sessions, std.err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.issuer.close()) }()
	b.perCase, b.engines = time.Duration(c.Seconds)*time.Second, []engine{b.embedded()}
	if _, err := b.load(ctx, b.engines); err != nil {
		return err
	}
	result := table{
		title: "Readers who read nothing",
		note: fmt.Sprintf("One account asks for pages of 1,000 sessions and reads none of them: over HTTP/2 with a window of one byte, over HTTP/1.1 "+
			"with a receive buffer of %d bytes. Then connections are idle, each behind a request without a token. Meanwhile an account of another company "+
			"asks for pages. Memory is what the gateway holds at its most beyond what it held before (resident). "+
			"Targets: 256 MiB and p99 at most 100 ms; idle connections 64 MiB.", slowBuffer),
		head: []string{"what", "of them", "memory", "page p50", "page p99", "failed"},
	}
	for _, one := range c.cases() {
		row, err := c.measure(ctx, b, one)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		result.rows = append(result.rows, row)
	}
	about := fmt.Sprintf("%s sessions in SQLite; gateway and load share %s.", thousands(c.Sessions), processor())
	return publish(std.out, c.Out, "bench-slow-readers", markdown("bin/bench slow-readers", about, []table{result}))
}

func (c slowCommand) cases() []slowCase {
	return []slowCase{
		{"requests over HTTP/2", true, func(ctx context.Context, gateway *server, token string) (int, error) {
			return c.together(ctx, c.HTTP2, func(ctx context.Context) (int, error) { return c.slowHTTP2(ctx, gateway.address(), token) })
		}},
		{"requests over HTTP/1.1", false, func(ctx context.Context, gateway *server, token string) (int, error) {
			return c.together(ctx, c.HTTP1, func(ctx context.Context) (int, error) { return c.slowHTTP1(ctx, gateway.address(), token) })
		}},
		{"idle connections", false, func(ctx context.Context, gateway *server, _ string) (int, error) {
			return c.together(ctx, c.Idle, func(ctx context.Context) (int, error) { return c.idle(ctx, gateway.address(), nil) })
		}},
		{"idle connections over TLS", true, func(ctx context.Context, gateway *server, _ string) (int, error) {
			return c.together(ctx, c.Idle, func(ctx context.Context) (int, error) {
				return c.idle(ctx, gateway.address(), insecure("http/1.1"))
			})
		}},
	}
}

// insecure trusts the certificate that the benchmark has made itself.
func insecure(protocol string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}} // #nosec G402 -- of this process
}

// together runs so many at a time until the context ends.
func (c slowCommand) together(ctx context.Context, n int, one func(context.Context) (int, error)) (int, error) {
	var taken atomic.Int64
	var all errgroup.Group
	all.SetLimit(n)
	for range n {
		all.Go(func() error {
			some, err := one(ctx)
			taken.Add(int64(some))
			return err
		})
	}
	err := all.Wait()
	return int(taken.Load()), err
}

// measure has one account take memory, and another one page.
func (c slowCommand) measure(ctx context.Context, b *bench, one slowCase) (_ []string, err error) {
	settings := slices.Concat(b.engines[0].settings, []string{defaultLoads}, c.Set)
	folder := ""
	if one.tls {
		if folder, err = os.MkdirTemp("", "scopegate-bench-"); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
		files, err := selfSigned(folder)
		if err != nil {
			return nil, err
		}
		settings = append(settings, files...)
	}
	gateway, err := b.gateway(ctx, settings...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	token, err := b.issuer.agent(companyID(1, 0))
	if err != nil {
		return nil, err
	}
	polite := politeCaller{address: gateway.address(), token: token, tls: one.tls}
	if _, err := polite.pages(ctx, time.Second); err != nil { // what it holds before is warm
		return nil, err
	}
	b.say("%s", one.name)
	idle, memory := gateway.resident(), watchMemory(gateway)
	slow, stop := context.WithTimeout(ctx, b.perCase)
	defer stop()
	taken := make(chan int, 1)
	var taking errgroup.Group
	taking.Go(func() error {
		n, err := one.take(slow, gateway, b.caller(gateway).token)
		taken <- n
		return err
	})
	fare, err := polite.pages(slow, b.perCase)
	err = errors.Join(err, taking.Wait())
	most := memory.stop()
	return []string{
		one.name, thousands(<-taken), fmt.Sprintf("+%d MiB", max(0, most-idle)>>20),
		milliseconds(fare.pages.percentile(50)), milliseconds(fare.pages.percentile(99)), thousands(fare.failed),
	}, err
}

// politeCaller reads what it asks for.
type politeCaller struct {
	address, token string
	tls            bool
}

// pages asks for pages of its own that are not in the cache, one after the other.
func (p politeCaller) pages(ctx context.Context, d time.Duration) (fare othersFare, err error) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: insecure("http/1.1")}, Timeout: answerTimeout}
	defer client.CloseIdleConnections()
	scheme := "http://"
	if p.tls {
		scheme = "https://"
	}
	var took []time.Duration
	for began, page := time.Now(), 0; time.Since(began) < d && ctx.Err() == nil; page++ {
		r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet,
			fmt.Sprintf("%s%s%s?withoutCount=true&limit=10&offset=%d", scheme, p.address, listPath, page), nil)
		if err != nil {
			return fare, err
		}
		r.Header.Set("Authorization", "Bearer "+p.token)
		asked := time.Now()
		fare.failed += failure(get(client, r))
		took = append(took, time.Since(asked))
		time.Sleep(stallPause)
	}
	fare.pages = newSample(took, 0)
	return fare, nil
}

func get(client *http.Client, r *http.Request) error {
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode != http.StatusOK {
		err = errors.Join(err, errors.New(answer.Status))
	}
	return errors.Join(err, answer.Body.Close())
}

// slowHTTP2 asks on one connection with a window that lets nothing through, and
// answers what keeps the connection open, until the context ends or the gateway
// ends it.
func (c slowCommand) slowHTTP2(ctx context.Context, address, token string) (asked int, err error) {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: insecure(http2.NextProtoTLS)}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return 0, err
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: smallestWindow}); err != nil {
		return 0, err
	}
	for ; asked < slowStreams; asked++ {
		err := framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: uint32(2*asked + 1), EndStream: true, EndHeaders: true, BlockFragment: c.head(address, token), // #nosec G115 -- a hundred
		})
		if err != nil {
			return asked, err
		}
	}
	for ctx.Err() == nil {
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // a connection has them
		frame, err := framer.ReadFrame()
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			continue
		case err != nil:
			return asked, nil // the gateway may end it
		}
		switch f := frame.(type) {
		case *http2.PingFrame:
			if !f.IsAck() {
				err = framer.WritePing(true, f.Data)
			}
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = framer.WriteSettingsAck()
			}
		}
		if err != nil {
			return asked, nil // the gateway may end it
		}
	}
	return asked, nil
}

// head is the compressed header of a request; each stands by itself.
func (c slowCommand) head(address, token string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	e.SetMaxDynamicTableSize(0)
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: http.MethodGet}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: address}, {Name: ":path", Value: c.Path},
		{Name: "authorization", Value: "Bearer " + token},
	}, c.further()...) {
		_ = e.WriteField(f) // a buffer takes all
	}
	return b.Bytes()
}

func (c slowCommand) further() (fields []hpack.HeaderField) {
	for _, line := range c.Header {
		if name, value, ok := bytes.Cut([]byte(line), []byte(":")); ok {
			fields = append(fields, hpack.HeaderField{Name: string(bytes.ToLower(name)), Value: string(bytes.TrimSpace(value))})
		}
	}
	return fields
}

// slowHTTP1 asks on one connection and reads nothing.
func (c slowCommand) slowHTTP1(ctx context.Context, address, token string) (int, error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetReadBuffer(slowBuffer); err != nil {
			return 0, err
		}
	}
	header := http.Header{"Authorization": {"Bearer " + token}}
	for _, f := range c.further() {
		header.Set(f.Name, f.Value)
	}
	if _, err := conn.Write(newRequest(http.MethodGet, address, c.Path, header, nil)); err != nil {
		return 0, nil // the gateway may close it
	}
	<-ctx.Done()
	return 1, nil
}

// idle asks once without a token, reads the answer, and asks nothing more.
func (c slowCommand) idle(ctx context.Context, address string, config *tls.Config) (int, error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, nil // the gateway has as many as it may
	}
	defer func() { _ = conn.Close() }()
	if config != nil {
		conn = tls.Client(conn, config)
	}
	if _, err := conn.Write(newRequest(http.MethodGet, address, listPath, nil, nil)); err != nil {
		return 0, nil // the gateway may close it
	}
	_ = conn.SetReadDeadline(time.Now().Add(answerTimeout)) // a connection has them
	if _, err := conn.Read(make([]byte, 4<<10)); err != nil {
		return 0, nil // the gateway may close it
	}
	<-ctx.Done()
	return 1, nil
}

// selfSigned makes a certificate for this machine, and the settings that name it.
func selfSigned(folder string) (settings []string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	made := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, made, made, key.Public(), key)
	if err != nil {
		return nil, err
	}
	for _, file := range []struct {
		setting, kind string
		der           []byte
	}{{"tls.cert_file", "CERTIFICATE", certificate}, {"tls.key_file", "PRIVATE KEY", private}} {
		path := filepath.Join(folder, file.setting)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: file.kind, Bytes: file.der}), 0o600); err != nil {
			return nil, err
		}
		settings = append(settings, file.setting+"="+path)
	}
	return settings, nil
}
