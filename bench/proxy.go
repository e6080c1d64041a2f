package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy forwards connections to another address, late or not at all when told
// so.
type proxy struct {
	listener net.Listener
	to       string       // HOST:PORT
	delay    atomic.Int64 // of all that comes back; nanoseconds
	resets   atomic.Bool  // every connection, open ones at their next answer

	pairs sync.WaitGroup
	mu    sync.Mutex
	open  map[net.Conn]struct{}
}

func startProxy(ctx context.Context, to string) (*proxy, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: listener, to: to, open: map[net.Conn]struct{}{}}
	p.pairs.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			p.pairs.Go(func() { p.forward(ctx, c) })
		}
	})
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) stop() error {
	err := p.listener.Close()
	p.mu.Lock()
	for c := range p.open {
		_ = c.Close() // ends what copies from it
	}
	p.mu.Unlock()
	p.pairs.Wait()
	return err
}

// hold has stop close the connection; call what it returns to close it earlier.
func (p *proxy) hold(c net.Conn) (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[c] = struct{}{}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, c)
		_ = c.Close() // may be closed by now
	}
}

func (p *proxy) forward(ctx context.Context, from net.Conn) {
	defer p.hold(from)()
	if p.resets.Load() {
		reset(from)
		return
	}
	to, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", p.to)
	if err != nil {
		return
	}
	defer p.hold(to)()
	p.pairs.Go(func() {
		_, _ = io.Copy(to, from) // how it ends is the other side's to see
		_ = to.Close()
	})
	p.answers(from, to)
}

// answers copies what comes back until either side ends.
func (p *proxy) answers(from, to net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := to.Read(buffer)
		if d := time.Duration(p.delay.Load()); d > 0 {
			time.Sleep(d)
		}
		if p.resets.Load() {
			reset(from)
			return
		}
		if _, failed := from.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}

// reset closes a connection by RST, which the other side sees as an error at once.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = errors.Join(tcp.SetLinger(0), tcp.Close()) // there is nobody to tell
	}
}
