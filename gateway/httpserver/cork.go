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

// serverBuffer is the size of net/http's write buffer for a connection, which cannot
// be set. A longer answer takes at least two writes, the first of this size.
const serverBuffer = 4 << 10

// maxUnsent is how many bytes BoundUnsent lets a connection take in advance.
const maxUnsent = 32 << 10

// serverListener accepts the connections of a Server, within their bound.
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

// servedConn is a connection that is counted, and that can join the first two writes
// of an answer. A write costs a system call, a packet, and waking the reader: as much
// as all other work on an answer from memory.
type servedConn struct {
	net.Conn

	of            *connections
	buffers       *sync.Pool
	corked        bool        // the next write is held back
	held          *[]byte     // the write held back; nil: none
	authenticated atomic.Bool // a valid token was sent on it

	// Guarded by the mutex of connections.
	list   *list.List    // idle or authenticated of connections
	idle   *list.Element // nil: a request is being answered
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
	c.buffers.Put(c.held) // so that an idle connection has none
	c.held = nil
	return max(0, int(n)-first), err
}

// hold copies p into a buffer of the pool: a writer may not keep p.
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
	c.of.release(c)
	return c.Conn.Close()
}

// CloseWrite implements the interface by which http.Server closes a connection on
// which the client may still be sending.
func (c *servedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// toServedConn returns the servedConn of a connection, below TLS.
func toServedConn(c net.Conn) (*servedConn, bool) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // TLS
		c = t.NetConn()
	}
	served, ok := c.(*servedConn)
	return served, ok
}

// connectionKey is the key of the servedConn in a request's context.
type connectionKey struct{}

// withConnection is http.Server's ConnContext.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	if served, ok := toServedConn(c); ok {
		return context.WithValue(ctx, connectionKey{}, served)
	}
	return ctx
}

// requestConn returns the connection of a request; false if the request is served
// without a Server.
func requestConn(r *http.Request) (*servedConn, bool) {
	c, ok := r.Context().Value(connectionKey{}).(*servedConn)
	return c, ok
}

// MarkAuthenticated records that a valid token was sent on the request's connection.
// When there are too many connections, those without a token are closed first.
func MarkAuthenticated(r *http.Request) {
	if c, ok := requestConn(r); ok && !c.authenticated.Load() {
		c.authenticated.Store(true)
	}
}

// Connection returns the connection of a request, below TLS; nil if the request
// is served without a Server.
func Connection(r *http.Request) net.Conn {
	if c, ok := requestConn(r); ok {
		return c.Conn
	}
	return nil
}

// CorkAnswer holds back the first of the writes in which net/http sends an answer,
// and sends it together with the second. size is that of the body in bytes. An
// answer that fits a single write is not held: no second write would send it.
func CorkAnswer(r *http.Request, size int) {
	if size < serverBuffer || r.ProtoMajor != 1 || r.Method == http.MethodHead {
		return
	}
	if c, ok := requestConn(r); ok {
		c.corked = true
	}
}
