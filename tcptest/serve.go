package tcptest

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
)

// Serve handles connections until the test ends, which closes them.
func Serve(tb testing.TB, handle func(net.Conn)) (address string) {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", loopback)
	if err != nil {
		tb.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	var handlers sync.WaitGroup
	handlers.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			handlers.Go(func() { defer func() { _ = conn.Close() }(); handle(conn) })
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, conn := range conns {
			_ = conn.Close()
		}
		mu.Unlock()
		handlers.Wait()
	})
	return l.Addr().String()
}

// Silent is the address of a server that accepts connections and answers nothing.
func Silent(tb testing.TB) (address string) {
	tb.Helper()
	return Serve(tb, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
}

// Refused is an address that nothing listens on.
func Refused(tb testing.TB) (address string) {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", loopback)
	if err != nil {
		tb.Fatal(err)
	}
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	return l.Addr().String()
}
