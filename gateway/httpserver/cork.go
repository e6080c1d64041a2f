package httpserver

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// serverBuffer is the buffer in which net/http gathers what it writes to a
// connection (http.Server has no setting for it): a longer answer goes out in
// two writes at least, the first of them of these many bytes.
const serverBuffer = 4 << 10

// maxUnsent is how many bytes BoundUnsent lets a connection take in advance.
const maxUnsent = 32 << 10

// serverListener makes the connections that a Server serves, as many at a time as
// may be.
type serverListener struct {
	net.Listener

	connections *connections
	buffers     *sync.Pool // of *[]byte
}

// Accept implements net.Listener.
func (l serverListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.connections.admit() {
			return &servedConn{Conn: c, of: l.connections, buffers: l.buffers}, nil
		}
		_ = c.Close() // nothing was read from it or written to it
	}
}

// servedConn is a connection that is counted, and that sends the two writes of an
// answer as one: each costs a system call, a packet, and a wake-up of whoever
// reads, which together are as much as all that a hit in memory does otherwise.
type servedConn struct {
	net.Conn

	of      *connections
	buffers *sync.Pool
	corked  bool        // the next write is to be held back
	held    *[]byte     // what was; nil: nothing
	known   atomic.Bool // a good token has come on it

	// Guarded by the mutex of connections.
	in     *list.List    // of the two
	idle   *list.Element // nil: it is being answered
	since  time.Time     // when it became idle
	closed bool
}

var _ net.Conn = (*servedConn)(nil)

// Write implements net.Conn.
func (c *servedConn) Write(p []byte) (int, error) {
	switch {
	case c.corked:
		c.corked, c.held = false, c.hold(p)
		return len(p), nil
	case c.held == nil:
		return c.Conn.Write(p)
	}
	first := len(*c.held)
	both := net.Buffers{*c.held, p}
	n, err := both.WriteTo(c.Conn)
	c.buffers.Put(c.held) // an idle connection keeps none
	c.held = nil
	return max(0, int(n)-first), err
}

// hold copies p, which is not ours to keep.
func (c *servedConn) hold(p []byte) *[]byte {
	buffer, ok := c.buffers.Get().(*[]byte)
	if !ok {
		made := make([]byte, 0, serverBuffer)
		buffer = &made
	}
	*buffer = append((*buffer)[:0], p...)
	return buffer
}

// Close implements net.Conn.
func (c *servedConn) Close() error {
	c.of.leave(c)
	return c.Conn.Close()
}

// CloseWrite is what http.Server ends a connection with that the caller may
// still be sending on.
func (c *servedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// servedConnOf is the connection, below TLS.
func servedConnOf(c net.Conn) (*servedConn, bool) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // TLS
		c = t.NetConn()
	}
	served, ok := c.(*servedConn)
	return served, ok
}

// connectionKey is the place of the servedConn in a request's context.
type connectionKey struct{}

// withConnection is http.Server's ConnContext.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	if served, ok := servedConnOf(c); ok {
		return context.WithValue(ctx, connectionKey{}, served)
	}
	return ctx
}

// servedConnIn is the connection of a request; false for one that is served
// without a Server.
func servedConnIn(r *http.Request) (*servedConn, bool) {
	c, ok := r.Context().Value(connectionKey{}).(*servedConn)
	return c, ok
}

// MarkAuthenticated notes that a good token has come on the request's connection.
// When there are too many connections, those without one are closed first.
func MarkAuthenticated(r *http.Request) {
	if c, ok := servedConnIn(r); ok && !c.known.Load() {
		c.known.Store(true)
	}
}

// Connection returns the connection of a request, below TLS; nil if the request
// is served without a Server.
func Connection(r *http.Request) net.Conn {
	if c, ok := servedConnIn(r); ok {
		return c.Conn
	}
	return nil
}

// CorkAnswer holds back the first of the writes in which net/http sends an answer,
// and sends it together with the second. size is that of the body in bytes. An
// answer that fits a single write must not be held: no second write would send it.
func CorkAnswer(r *http.Request, size int) {
	if size < serverBuffer || r.ProtoMajor != 1 || r.Method == http.MethodHead {
		return
	}
	if c, ok := servedConnIn(r); ok {
		c.corked = true
	}
}
