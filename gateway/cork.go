package gateway

import (
	"context"
	"net"
	"net/http"
)

// serverBuffer is the buffer in which net/http gathers what it writes to a
// connection (http.Server has no setting for it): a longer answer goes out in
// two writes at least, the first of them of these many bytes.
const serverBuffer = 4 << 10

// corkedListener makes connections whose first write of a corked answer waits
// for the second.
type corkedListener struct{ net.Listener }

// Accept implements net.Listener.
func (l corkedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &corkedConn{Conn: c}, nil
}

// corkedConn is a connection that sends the two writes of an answer as one: each
// costs a system call, a packet, and a wake-up of whoever reads, which together
// are as much as all that a hit in memory does otherwise.
type corkedConn struct {
	net.Conn
	corked bool // the next write is to be held back
	held   []byte
}

var _ net.Conn = (*corkedConn)(nil)

// Write implements net.Conn.
func (c *corkedConn) Write(p []byte) (int, error) {
	switch {
	case c.corked:
		c.corked, c.held = false, append(c.held[:0], p...) // p is not ours to keep
		return len(p), nil
	case len(c.held) == 0:
		return c.Conn.Write(p)
	}
	first := len(c.held)
	both := net.Buffers{c.held, p}
	c.held = c.held[:0]
	n, err := both.WriteTo(c.Conn)
	return max(0, int(n)-first), err
}

// CloseWrite is what http.Server ends a connection with that the caller may
// still be sending on.
func (c *corkedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// connectionKey is the place of the corkedConn in a request's context.
type connectionKey struct{}

// withConnection is http.Server's ConnContext.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // TLS
		c = t.NetConn()
	}
	if corked, ok := c.(*corkedConn); ok {
		return context.WithValue(ctx, connectionKey{}, corked)
	}
	return ctx
}

// connectionOf is the connection of a request, below TLS; nil for one that is
// served without a Server.
func connectionOf(r *http.Request) net.Conn {
	if c, ok := r.Context().Value(connectionKey{}).(*corkedConn); ok {
		return c.Conn
	}
	return nil
}

// corkAnswer has an answer of so many bytes, written at once, leave in one
// piece. Only one that is certain to take two writes may be held: nothing would
// send it on its way.
func corkAnswer(r *http.Request, size int) {
	if size < serverBuffer || r.ProtoMajor != 1 || r.Method == http.MethodHead {
		return
	}
	if c, ok := r.Context().Value(connectionKey{}).(*corkedConn); ok {
		c.corked = true
	}
}
