package harness

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy leads to a real server and can be cut, as if the server had stopped.
type Proxy struct {
	tb       testing.TB
	Address  string // stays the same
	upstream string

	left atomic.Int64 // bytes from the server until it is cut by itself; 0: any number

	mu       sync.Mutex
	listener net.Listener // nil: cut
	ends     map[net.Conn]bool
	running  sync.WaitGroup
}

// NewProxy leads to the upstream, HOST:PORT, until the test ends.
func NewProxy(tb testing.TB, upstream string) *Proxy {
	tb.Helper()
	p := &Proxy{tb: tb, Address: "127.0.0.1:0", upstream: upstream}
	p.Mend()
	tb.Cleanup(p.Cut)
	return p
}

// Cut refuses connections and resets those that are open.
func (p *Proxy) Cut() {
	p.sever()
	p.running.Wait()
}

// CutAfter cuts when so many more bytes have come from the server.
func (p *Proxy) CutAfter(bytes int64) { p.left.Store(bytes) }

func (p *Proxy) sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	for end := range p.ends {
		_ = end.Close()
	}
}

// rationed is what comes from the server.
type rationed struct {
	io.Reader

	proxy *Proxy
}

func (r rationed) Read(to []byte) (int, error) {
	n, err := r.Reader.Read(to)
	if r.proxy.left.Load() > 0 && r.proxy.left.Add(-int64(n)) <= 0 {
		r.proxy.left.Store(0)
		r.proxy.sever()
		return 0, io.EOF
	}
	return n, err
}

// Mend listens again, at the same address.
func (p *Proxy) Mend() {
	p.tb.Helper()
	listener, err := net.Listen("tcp", p.Address)
	if err != nil {
		p.tb.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener, p.Address, p.ends = listener, listener.Addr().String(), map[net.Conn]bool{}
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

func (p *Proxy) carry(from net.Conn) {
	defer func() { _ = from.Close() }()
	to, err := net.Dial("tcp", p.upstream)
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	p.mu.Lock()
	whole := p.listener != nil
	if whole {
		p.ends[from], p.ends[to] = true, true
	}
	p.mu.Unlock()
	if !whole {
		return
	}
	p.running.Go(func() { _, _ = io.Copy(to, from); _ = to.Close() })
	_, _ = io.Copy(from, rationed{to, p})
}
