package httpserver

import (
	"cmp"
	"container/list"
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/scopegate/scopegate/meter"
)

// DefaultMaxConnections is the default for a listener. An idle connection takes about
// 30 KiB, with TLS 60 KiB.
const DefaultMaxConnections = 512

// instrumentation names the meter: connections belong to the gateway's metrics.
const instrumentation = "github.com/scopegate/scopegate/gateway"

// reasonKey names why a connection was closed, in logs and as a label.
const reasonKey = "reason"

// Reasons for closing a connection, as labels of the metric.
const (
	closedIdle = "idle" // to make room for a new one
	closedFull = "full" // a new one, as all others were in use
)

// minIdle is how long a connection with a valid token must have been idle before it
// is closed to make room: its next request may be on the way.
const minIdle = 100 * time.Millisecond

// connections bounds the open connections of a listener. When there are too many, a
// new one takes the place of the one that has been idle for longest, so that clients
// that hold connections without using them do not lock out others. Connections on
// which no valid token was sent are closed first. If all are in use, the new one is
// closed.
type connections struct {
	listener string
	limit    int
	logger   *slog.Logger
	count    metric.Int64UpDownCounter
	closed   metric.Int64Counter
	labels   metric.MeasurementOption // the listener

	mu            sync.Mutex
	open          int
	idle          *list.List // of *servedConn without a valid token, the longest idle first
	authenticated *list.List // idle ones with a valid token, in the same order
	warned        time.Time
}

// warnInterval is the shortest time between two warnings about closed connections.
const warnInterval = time.Minute

func newConnections(o Options) *connections {
	c := &connections{
		listener: o.Name, limit: cmp.Or(o.MaxConnections, DefaultMaxConnections), logger: o.Logger, idle: list.New(), authenticated: list.New(),
		labels: metric.WithAttributes(attribute.String("listener", o.Name)),
	}
	// Connections are served also if they cannot be counted.
	if err := c.instrument(o.MeterProvider); err != nil {
		o.Logger.Error("connections are not counted", slog.Any("error", err))
	}
	return c
}

// instrument makes the instruments, which can be used also after an error.
func (c *connections) instrument(provider metric.MeterProvider) error {
	b := meter.NewBuilder(provider, instrumentation)
	c.count = b.UpDownCounter("scopegate.connections.open", "{connection}", "Connections that are open, by listener.")
	c.closed = b.Counter("scopegate.connections.closed", "{connection}", "Connections closed because there were as many as may be, by listener and reason.")
	for _, reason := range []string{closedIdle, closedFull} {
		c.closed.Add(context.Background(), 0, c.labels, byReason(reason))
	}
	return b.Err()
}

func byReason(reason string) metric.AddOption {
	return metric.WithAttributes(attribute.String(reasonKey, reason))
}

// admit counts a new connection, and reports whether it is accepted. It may close an
// idle one to make room.
func (c *connections) admit() bool {
	c.mu.Lock()
	if c.open < c.limit {
		c.open++
		c.mu.Unlock()
		c.count.Add(context.Background(), 1, c.labels)
		return true
	}
	other := c.longestIdle()
	if other == nil {
		c.mu.Unlock()
		c.recordClosed(closedFull)
		return false
	}
	c.open++
	c.removeIdle(other)
	c.mu.Unlock()
	c.count.Add(context.Background(), 1, c.labels)
	_ = other.Close() // clients expect that of idle connections
	c.recordClosed(closedIdle)
	return true
}

// longestIdle returns the connection to close to make room; nil: none. The caller
// holds mu.
func (c *connections) longestIdle() *servedConn {
	if front := c.idle.Front(); front != nil {
		return front.Value.(*servedConn)
	}
	if front := c.authenticated.Front(); front != nil && time.Since(front.Value.(*servedConn).since) >= minIdle {
		return front.Value.(*servedConn)
	}
	return nil
}

// recordClosed counts a connection closed for the bound, and logs a warning at most
// once in warnInterval.
func (c *connections) recordClosed(reason string) {
	ctx := context.Background()
	c.closed.Add(ctx, 1, c.labels, byReason(reason))
	c.mu.Lock()
	due := time.Since(c.warned) >= warnInterval
	if due {
		c.warned = time.Now()
	}
	c.mu.Unlock()
	if due {
		c.logger.LogAttrs(ctx, slog.LevelWarn, "the limit of connections is reached: new ones take the place of idle ones, or are closed",
			slog.String("listener", c.listener), slog.Int("max_connections", c.limit), slog.String(reasonKey, reason))
	}
}

// trackState is http.Server's ConnState.
func (c *connections) trackState(conn net.Conn, state http.ConnState) {
	s, ok := toServedConn(conn)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removeIdle(s)
	if (state == http.StateNew || state == http.StateIdle) && !s.closed {
		s.list = c.idle
		if s.authenticated.Load() {
			s.list = c.authenticated
		}
		s.idle, s.since = s.list.PushBack(s), time.Now()
	}
}

// removeIdle takes the connection off its list of idle ones. The caller holds mu.
func (c *connections) removeIdle(s *servedConn) {
	if s.idle != nil {
		s.list.Remove(s.idle)
		s.idle = nil
	}
}

// release ends the count of an admitted connection. It may be called again.
func (c *connections) release(s *servedConn) {
	c.mu.Lock()
	if s.closed {
		c.mu.Unlock()
		return
	}
	s.closed = true
	c.removeIdle(s)
	c.open--
	c.mu.Unlock()
	c.count.Add(context.Background(), -1, c.labels)
}
