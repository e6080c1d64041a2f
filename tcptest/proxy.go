package tcptest

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy carries bytes between clients and a server, and fails as networks and servers
// do. It is safe for use by several goroutines.
type Proxy struct {
	Address string // HOST:PORT; it stays the same

	tb       testing.TB
	upstream string

	left   atomic.Int64 // bytes from the server until the proxy cuts itself; 0: any number
	delay  atomic.Int64 // nanoseconds
	held   atomic.Bool
	resets atomic.Bool

	mu       sync.Mutex
	listener net.Listener // nil: cut
	conns    map[net.Conn]bool
	running  sync.WaitGroup
}

// NewProxy leads to the upstream, HOST:PORT, until the test ends.
func NewProxy(tb testing.TB, upstream string) *Proxy {
	tb.Helper()
	p := &Proxy{tb: tb, Address: loopback, upstream: upstream}
	p.Mend()
	tb.Cleanup(p.Cut)
	return p
}

// Cut refuses connections and closes those that are open, as if the server had stopped.
func (p *Proxy) Cut() {
	p.sever()
	p.running.Wait()
}

// CutAfter cuts when that many more bytes have come from the server.
func (p *Proxy) CutAfter(bytes int64) { p.left.Store(bytes) }

// Hold keeps what comes from the server back until Hold(false).
func (p *Proxy) Hold(on bool) { p.held.Store(on) }

// Delay passes what comes from the server on after a pause; 0: at once.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// Reset resets each connection on which something comes from the server.
func (p *Proxy) Reset(on bool) { p.resets.Store(on) }

// Mend listens again after Cut, at the same address.
func (p *Proxy) Mend() {
	p.tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", p.Address)
	if err != nil {
		p.tb.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener, p.Address, p.conns = listener, listener.Addr().String(), map[net.Conn]bool{}
	p.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.carry(conn) })
		}
	})
}

func (p *Proxy) sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	for conn := range p.conns {
		_ = conn.Close()
	}
}

func (p *Proxy) carry(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.upstream)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	p.mu.Lock()
	open := p.listener != nil
	if open {
		p.conns[client], p.conns[server] = true, true
	}
	p.mu.Unlock()
	if !open {
		return
	}
	gone := make(chan struct{}) // closed when the client sends no more
	p.running.Go(func() {
		defer close(gone)
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	p.answer(client, server, gone)
}

// answer passes on what comes from the server.
func (p *Proxy) answer(client, server net.Conn, gone <-chan struct{}) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		time.Sleep(time.Duration(p.delay.Load()))
		if p.resets.Load() {
			_ = client.(*net.TCPConn).SetLinger(0) // a reset, not an end
			return
		}
		for p.held.Load() {
			select {
			case <-gone:
				return
			case <-time.After(time.Millisecond):
			}
		}
		if p.left.Load() > 0 && p.left.Add(-int64(n)) <= 0 {
			p.left.Store(0)
			p.sever()
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}
