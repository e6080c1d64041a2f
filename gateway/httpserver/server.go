package httpserver

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// Defaults of Options.
const (
	DefaultReadHeaderTimeout = 5 * time.Second
	DefaultReadTimeout       = 30 * time.Second
	DefaultWriteTimeout      = 60 * time.Second
	DefaultIdleTimeout       = 2 * time.Minute
	// DefaultMaxHeaderBytes has room for the longest cursor and a large token.
	DefaultMaxHeaderBytes = 64 << 10
	DefaultStopTimeout    = 20 * time.Second
)

// Bounds of one connection of HTTP/2.
const (
	maxStreams = 100 // requests at once; RFC 9113, section 6.5.2, advises at least 100
	// Bytes of bodies that the client may send before their handlers read them: for
	// one request, and for all.
	maxReceived    = 64 << 10
	maxReceivedAll = 256 << 10
)

// Options are the options of one listener's server. A zero duration or size is its
// default, except DrainDelay.
type Options struct {
	Name              string       // of the listener, for logs and metrics
	Handler           http.Handler // required
	ReadHeaderTimeout time.Duration
	ReadTimeout       time.Duration
	// WriteTimeout must be longer than a handler takes to answer. Otherwise a
	// request that times out is a broken connection, and not a 504.
	WriteTimeout   time.Duration
	IdleTimeout    time.Duration
	MaxHeaderBytes int
	// StallTimeout is how long a write to an HTTP/2 connection may wait for the
	// reader; 0: WriteTimeout.
	StallTimeout time.Duration
	// MaxConnections is how many connections may be open at once. One more takes
	// the place of an idle one, or is closed. 0: DefaultMaxConnections.
	MaxConnections int
	MeterProvider  metric.MeterProvider // nil: connections are not counted
	// Readiness is stopped first when the server stops; may be nil.
	Readiness *Readiness
	// DrainDelay is how long new requests are accepted after readiness has failed,
	// so that load balancers notice. 0: they are not accepted.
	DrainDelay time.Duration
	// StopTimeout is how long requests in flight may take to finish after that.
	StopTimeout time.Duration
	Logger      *slog.Logger // required
	// TLS is the configuration for TLS, with HTTP/2; nil: the listener is plain
	// HTTP/1.1.
	TLS *tls.Config
}

// Server serves one listener. When it stops, requests in flight may finish.
type Server struct {
	http      *http.Server
	bound     *connections
	readiness *Readiness
	drain     time.Duration
	stop      time.Duration
	name      string
	logger    *slog.Logger
}

// New makes a server. It sets all four timeouts of http.Server, which has no defaults
// for them.
func New(o Options) *Server {
	readiness := o.Readiness
	if readiness == nil {
		readiness = &Readiness{}
	}
	bound := newConnections(o)
	return &Server{
		bound: bound,
		http: &http.Server{
			Handler:           closingConnections(readiness, abandoningBodies(o.Handler)),
			ReadHeaderTimeout: cmp.Or(o.ReadHeaderTimeout, DefaultReadHeaderTimeout),
			ReadTimeout:       cmp.Or(o.ReadTimeout, DefaultReadTimeout),
			WriteTimeout:      cmp.Or(o.WriteTimeout, DefaultWriteTimeout),
			IdleTimeout:       cmp.Or(o.IdleTimeout, DefaultIdleTimeout),
			MaxHeaderBytes:    cmp.Or(o.MaxHeaderBytes, DefaultMaxHeaderBytes),
			ErrorLog:          newServerLog(o.Logger),
			TLSConfig:         o.TLS,
			ConnContext:       withConnection,
			ConnState:         bound.trackState,
			// The handler answers "OPTIONS *" too, so that its answer has all headers.
			DisableGeneralOptionsHandler: true,
			// Many requests share a connection. ReadTimeout and WriteTimeout are for
			// each request, these for the connection.
			HTTP2: &http.HTTP2Config{
				MaxConcurrentStreams:          maxStreams,
				MaxReceiveBufferPerStream:     maxReceived,
				MaxReceiveBufferPerConnection: maxReceivedAll,
				SendPingTimeout:               cmp.Or(o.IdleTimeout, DefaultIdleTimeout) / 4,
				WriteByteTimeout:              cmp.Or(o.StallTimeout, cmp.Or(o.WriteTimeout, DefaultWriteTimeout)),
			},
		},
		readiness: readiness,
		drain:     o.DrainDelay,
		stop:      cmp.Or(o.StopTimeout, DefaultStopTimeout),
		name:      o.Name,
		logger:    o.Logger,
	}
}

// Serve answers requests on the listener until ctx is done and the stop is over, and
// closes the listener. In a stop readiness fails, then requests are accepted for
// DrainDelay, then those in flight may finish for StopTimeout. Requests do not
// inherit ctx. The error is nil if all requests have finished.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	served := make(chan error, 1)
	go func() { served <- s.serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	err := s.shutdown(context.WithoutCancel(ctx))
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		return errors.Join(err, fmt.Errorf("serve %s: %w", listener.Addr(), serveErr))
	}
	return err
}

func (s *Server) serve(listener net.Listener) error {
	listener = serverListener{Listener: listener, connections: s.bound, buffers: &sync.Pool{}}
	if s.http.TLSConfig != nil {
		return s.http.ServeTLS(listener, "", "") // the certificate is in the configuration
	}
	return s.http.Serve(listener)
}

func (s *Server) shutdown(ctx context.Context) error {
	s.readiness.Stop()
	s.logger.LogAttrs(ctx, slog.LevelInfo, "stopping", slog.String("listener", s.name), slog.Duration("drain_delay", s.drain), slog.Duration("stop_timeout", s.stop))
	time.Sleep(s.drain)
	ctx, cancel := context.WithTimeout(ctx, s.stop)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		// Requests that are left are broken off, so that the stop ends.
		return errors.Join(fmt.Errorf("requests still in flight after %s: %w", s.stop, err), s.http.Close())
	}
	return nil
}

// closingConnections asks callers to close their connections once a stop has begun, so
// that none is idle, and about to be used, when the listener closes. Over HTTP/2 it is
// a GOAWAY.
func closingConnections(readiness *Readiness, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if readiness.Stopping() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// Readiness says whether a stop has begun; /readyz fails from then on. The zero
// Readiness is ready. Safe for use by several goroutines.
type Readiness struct {
	stopping atomic.Bool
}

// Stop makes /readyz fail from now on.
func (r *Readiness) Stop() { r.stopping.Store(true) }

// Stopping reports whether a stop has begun.
func (r *Readiness) Stopping() bool { return r.stopping.Load() }

// newServerLog makes the ErrorLog of an http.Server, which mostly has errors of
// clients below HTTP. Addresses of clients are left out, as in all logs. A message is
// one attribute of a line, so that its text cannot begin another line.
func newServerLog(logger *slog.Logger) *log.Logger {
	return log.New(serverLogWriter{logger}, "", 0)
}

type serverLogWriter struct{ logger *slog.Logger }

// Write implements io.Writer; a log.Logger writes one message with each call.
func (w serverLogWriter) Write(message []byte) (int, error) {
	text := strings.TrimSpace(string(message))
	level := slog.LevelWarn
	if strings.HasPrefix(text, "http: TLS handshake error") {
		level = slog.LevelDebug // anyone can cause it, as often as they like
	}
	w.logger.LogAttrs(context.Background(), level, "server", slog.String("cause", withoutAddresses(text)))
	return len(message), nil
}

// withoutAddresses replaces each word that is an address, with or without a port.
func withoutAddresses(text string) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		for _, part := range strings.Split(word, "->") { // as net.OpError writes a connection
			bare := strings.TrimRight(part, ":,;")
			_, portErr := netip.ParseAddrPort(bare)
			if _, err := netip.ParseAddr(bare); err == nil || portErr == nil {
				words[i] = strings.Replace(words[i], bare, "(address)", 1)
			}
		}
	}
	return strings.Join(words, " ")
}
