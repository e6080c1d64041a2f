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

// DefaultMaxConnections of a listener. An idle one takes some 30 KiB, with TLS 60.
const DefaultMaxConnections = 512

// instrumentation names the meter: connections belong to the gateway's metrics.
const instrumentation = "github.com/scopegate/scopegate/gateway"

// reasonKey names why a connection was closed, in logs and as a label.
const reasonKey = "reason"

// Why connections are closed, as the metric has it.
const (
	closedIdle = "idle" // to make room: it was idle for longest
	closedFull = "full" // as soon as it came: all others were in use
)

// leastIdle is how long a connection with a good token that is closed to make room
// has been idle: the next request of one that is in use may be on its way.
const leastIdle = 100 * time.Millisecond

// connections bounds those of a listener. A new one that would be one too many
// takes the place of the one that has been idle for longest, or has sent nothing
// for longest: whoever holds connections without using them locks nobody out. Those
// on which nobody has shown a good token go first. When all are in use, the new one
// is closed.
type connections struct {
	listener string
	most     int
	logger   *slog.Logger
	count    metric.Int64UpDownCounter
	closed   metric.Int64Counter
	labels   metric.MeasurementOption // the listener

	mu     sync.Mutex
	open   int
	idle   *list.List // of *servedConn, the longest idle first
	known  *list.List // likewise, of callers with a good token
	warned time.Time
}

// warnEvery is how often the log tells that connections are closed.
const warnEvery = time.Minute

func newConnections(o Options) *connections {
	c := &connections{
		listener: o.Name, most: cmp.Or(o.MaxConnections, DefaultMaxConnections), logger: o.Logger, idle: list.New(), known: list.New(),
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

// admit counts a new connection, and reports whether it may stay.
func (c *connections) admit() bool {
	c.mu.Lock()
	if c.open < c.most {
		c.open++
		c.mu.Unlock()
		c.count.Add(context.Background(), 1, c.labels)
		return true
	}
	other := c.longestIdle()
	if other == nil {
		c.mu.Unlock()
		c.tell(closedFull)
		return false
	}
	c.open++
	c.forget(other)
	c.mu.Unlock()
	c.count.Add(context.Background(), 1, c.labels)
	_ = other.Close() // its caller sees that an idle connection was closed
	c.tell(closedIdle)
	return true
}

// longestIdle is the connection to be closed; nil: none. The caller holds mu.
func (c *connections) longestIdle() *servedConn {
	if front := c.idle.Front(); front != nil {
		return front.Value.(*servedConn)
	}
	if front := c.known.Front(); front != nil && time.Since(front.Value.(*servedConn).since) >= leastIdle {
		return front.Value.(*servedConn)
	}
	return nil
}

// tell counts a closed connection, and logs now and then that there are such.
func (c *connections) tell(reason string) {
	ctx := context.Background()
	c.closed.Add(ctx, 1, c.labels, byReason(reason))
	c.mu.Lock()
	due := time.Since(c.warned) >= warnEvery
	if due {
		c.warned = time.Now()
	}
	c.mu.Unlock()
	if due {
		c.logger.LogAttrs(ctx, slog.LevelWarn, "there are as many connections as may be: new ones take the place of idle ones, or are closed",
			slog.String("listener", c.listener), slog.Int("max_connections", c.most), slog.String(reasonKey, reason))
	}
}

// follow is http.Server's ConnState.
func (c *connections) follow(conn net.Conn, state http.ConnState) {
	s, ok := servedConnOf(conn)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(s)
	if (state == http.StateNew || state == http.StateIdle) && !s.closed {
		s.in = c.idle
		if s.known.Load() {
			s.in = c.known
		}
		s.idle, s.since = s.in.PushBack(s), time.Now()
	}
}

// forget takes the connection off the list of idle ones. The caller holds mu.
func (c *connections) forget(s *servedConn) {
	if s.idle != nil {
		s.in.Remove(s.idle)
		s.idle = nil
	}
}

// leave is called once for each connection that was admitted.
func (c *connections) leave(s *servedConn) {
	c.mu.Lock()
	if s.closed {
		c.mu.Unlock()
		return
	}
	s.closed = true
	c.forget(s)
	c.open--
	c.mu.Unlock()
	c.count.Add(context.Background(), -1, c.labels)
}
