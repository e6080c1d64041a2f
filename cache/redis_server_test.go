package cache

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// server is a redis-server of a test's own, which it may stop and start again
// on the same port.
type server struct {
	tb      testing.TB
	port    int
	dir     string
	options []string
	process *exec.Cmd // nil: it is stopped
}

// startServer starts one on a free port.
func startServer(tb testing.TB, options ...string) *server {
	tb.Helper()
	return startServerOn(tb, freePort(tb), options...)
}

// startServerOn starts one with further options of the command line, which win
// over those that all have.
func startServerOn(tb testing.TB, port int, options ...string) *server {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		missing(tb, "redis-server is not in the PATH: the package redis-server has it")
	}
	s := &server{tb: tb, port: port, dir: tb.TempDir(), options: options}
	tb.Cleanup(s.stop)
	s.start()
	return s
}

func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// start returns when it listens.
func (s *server) start() {
	s.tb.Helper()
	var options []string
	rest := s.options
	if len(rest) > 0 && filepath.IsAbs(rest[0]) { // a file of settings comes first
		options, rest = rest[:1:1], rest[1:]
	}
	options = append(options,
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "no",
		"--logfile", filepath.Join(s.dir, "log"))
	options = append(options, rest...)
	s.process = exec.Command("redis-server", options...)
	if err := s.process.Start(); err != nil {
		s.tb.Fatal(err)
	}
	eventually(s.tb, "redis-server listens", func() bool {
		conn, err := net.Dial("tcp", s.address())
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// stop kills it, as an outage would, and waits until it is gone.
func (s *server) stop() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
	s.process = nil
}

// admin is a client of the test's own.
func (s *server) admin() *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: s.address(), Protocol: 2})
	s.tb.Cleanup(func() { _ = client.Close() })
	return client
}

// eventually waits for what takes its time, and fails the test when it takes
// longer than any machine would.
func eventually(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if is() {
			return
		}
	}
	tb.Fatalf("not within a minute: %s", what)
}
