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
	// DefaultMaxHeaderBytes holds a cursor at its longest and a large token.
	DefaultMaxHeaderBytes = 64 << 10
	DefaultStopTimeout    = 20 * time.Second
)

// Bounds of one connection of HTTP/2.
const (
	maxStreams = 100 // requests at once; RFC 9113, section 6.5.2, advises no fewer
	// maxReceived is how many bytes of bodies it may send ahead of their handlers:
	// of one request, and of all.
	maxReceived    = 64 << 10
	maxReceivedAll = 256 << 10
)

// Options say how one listener is served. A zero duration or size is the
// default, but for DrainDelay.
type Options struct {
	Name              string       // of the listener, for the log
	Handler           http.Handler // required
	ReadHeaderTimeout time.Duration
	ReadTimeout       time.Duration
	// WriteTimeout must be longer than Options.RequestTimeout, or a request
	// that runs out of time ends as a broken connection and not as a 504.
	WriteTimeout   time.Duration
	IdleTimeout    time.Duration
	MaxHeaderBytes int
	// StallTimeout is how long a connection of HTTP/2 may take nothing of what is
	// written to it; 0: WriteTimeout.
	StallTimeout time.Duration
	// MaxConnections that are open at a time; see connections. 0:
	// DefaultMaxConnections.
	MaxConnections int
	MeterProvider  metric.MeterProvider // nil: connections are not counted
	// Readiness is stopped first when the server stops; may be nil.
	Readiness *Readiness
	// DrainDelay is how long requests are still taken after readiness has
	// failed, for load balancers to notice. 0: not at all.
	DrainDelay time.Duration
	// StopTimeout is how long requests in flight may take to finish after that.
	StopTimeout time.Duration
	Logger      *slog.Logger // required
	// TLS makes the listener one of TLS, with HTTP/2; nil: it is in clear.
	TLS *tls.Config
}

// Server serves one listener and stops without breaking off requests.
type Server struct {
	http      *http.Server
	bound     *connections
	readiness *Readiness
	drain     time.Duration
	stop      time.Duration
	name      string
	logger    *slog.Logger
}

// New makes a server. All four timeouts of http.Server are set: none of
// them is by default.
func New(o Options) *Server {
	readiness := o.Readiness
	if readiness == nil {
		readiness = &Readiness{}
	}
	bound := newConnections(o)
	return &Server{
		bound: bound,
		http: &http.Server{
			Handler:           abandoningBodies(o.Handler),
			ReadHeaderTimeout: cmp.Or(o.ReadHeaderTimeout, DefaultReadHeaderTimeout),
			ReadTimeout:       cmp.Or(o.ReadTimeout, DefaultReadTimeout),
			WriteTimeout:      cmp.Or(o.WriteTimeout, DefaultWriteTimeout),
			IdleTimeout:       cmp.Or(o.IdleTimeout, DefaultIdleTimeout),
			MaxHeaderBytes:    cmp.Or(o.MaxHeaderBytes, DefaultMaxHeaderBytes),
			ErrorLog:          serverLog(o.Logger),
			TLSConfig:         o.TLS,
			ConnContext:       withConnection,
			ConnState:         bound.follow,
			// "OPTIONS *" gets an answer with all headers too.
			DisableGeneralOptionsHandler: true,
			// Many requests share a connection: ReadTimeout and WriteTimeout are
			// of each, these of the connection.
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

// Serve answers requests on the listener, and closes it, until ctx is done and
// the stop is over: readiness fails first, requests are taken for DrainDelay
// more, those in flight then finish. Requests do not inherit ctx: its end is
// not theirs. The error is nil after a stop in which all of them finished.
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
		return s.http.ServeTLS(listener, "", "") // the configuration has the certificate
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
		// What is left is broken off: a stop has to end.
		return errors.Join(fmt.Errorf("requests still in flight after %s: %w", s.stop, err), s.http.Close())
	}
	return nil
}

// Readiness is told to /readyz: ready until a stop begins. The zero Readiness
// is ready. Safe for use by several goroutines.
type Readiness struct {
	stopping atomic.Bool
}

// Stop makes /readyz fail from now on.
func (r *Readiness) Stop() { r.stopping.Store(true) }

// Stopping reports whether a stop has begun.
func (r *Readiness) Stopping() bool { return r.stopping.Load() }

// serverLog makes the log of an http.Server: what clients get wrong beneath
// HTTP, above all. Their addresses are left out, as in all logs, and the text
// is one attribute of a line: nothing in it can begin another.
func serverLog(logger *slog.Logger) *log.Logger {
	return log.New(serverLogWriter{logger}, "", 0)
}

type serverLogWriter struct{ logger *slog.Logger }

// Write gets one whole message at a time, see log.Logger.
func (w serverLogWriter) Write(message []byte) (int, error) {
	text := strings.TrimSpace(string(message))
	level := slog.LevelWarn
	if strings.HasPrefix(text, "http: TLS handshake error") {
		level = slog.LevelDebug // of anybody's making, as often as they like
	}
	w.logger.LogAttrs(context.Background(), level, "server", slog.String("cause", withoutAddresses(text)))
	return len(message), nil
}

// withoutAddresses replaces each word that is an address, with a port or
// without.
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
