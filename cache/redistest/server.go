package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Server is a redis-server on 127.0.0.1 that keeps nothing on disk.
type Server struct {
	Port int

	tb      testing.TB
	dir     string
	options []string
	process *exec.Cmd     // nil: it is killed
	ended   chan struct{} // closed when the process is gone
}

// Start starts one on a free port, with further options of the command line,
// which win over those that all have. A first one that is an absolute path is
// the file of settings.
func Start(tb testing.TB, options ...string) *Server {
	tb.Helper()
	return startFree(tb, func() []string { return options })
}

// portAttempts is how many ports are tried: another process may take one between its
// choice and its use.
const portAttempts = 5

// startFree starts one on a free port, with the options of each attempt.
func startFree(tb testing.TB, options func() []string) *Server {
	tb.Helper()
	for attempt := 1; ; attempt++ {
		s := newServer(tb, FreePort(tb), options())
		err := s.start()
		switch {
		case err == nil:
			return s
		case attempt == portAttempts || !strings.Contains(err.Error(), "Address already in use"):
			tb.Fatal(err)
		}
	}
}

// StartOn starts one on a port.
func StartOn(tb testing.TB, port int, options ...string) *Server {
	tb.Helper()
	s := newServer(tb, port, options)
	s.Restart()
	return s
}

func newServer(tb testing.TB, port int, options []string) *Server {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		missing(tb, "redis-server is not in the PATH: the package redis-server has it")
	}
	s := &Server{tb: tb, Port: port, dir: tb.TempDir(), options: options}
	tb.Cleanup(s.Kill)
	return s
}

// FreePort is one that nothing listens on.
func FreePort(tb testing.TB) int {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// Address is HOST:PORT.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// Restart starts it, without any data, after a Kill. It returns when it listens,
// and fails the test if it does not: another may have taken the port meanwhile.
func (s *Server) Restart() {
	s.tb.Helper()
	if err := s.start(); err != nil {
		s.tb.Fatal(err)
	}
}

// start is Restart with the error of a server that ended at once.
func (s *Server) start() (err error) {
	s.tb.Helper()
	var options []string
	rest := s.options
	if len(rest) > 0 && filepath.IsAbs(rest[0]) {
		options, rest = rest[:1:1], rest[1:]
	}
	log := filepath.Join(s.dir, "log")
	_ = os.Remove(log)
	options = append(options,
		"--port", strconv.Itoa(s.Port), "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "no",
		"--logfile", log)
	process, ended := exec.Command("redis-server", append(options, rest...)...), make(chan struct{})
	if err := process.Start(); err != nil {
		return err
	}
	go func() {
		defer close(ended)
		_ = process.Wait()
	}()
	s.process, s.ended = process, ended
	Eventually(s.tb, "redis-server listens", func() bool {
		said, _ := os.ReadFile(log)
		select {
		case <-ended:
			err = fmt.Errorf("redis-server has ended: %s", said)
		default:
		}
		return err != nil || listens.Match(said)
	})
	return err
}

// listens is what a server or a Sentinel writes when it has its port. A
// connection would not tell: it could be another's port.
var listens = regexp.MustCompile(`Ready to accept connections|Sentinel ID is`)

// Kill ends it, as an outage would, and returns when it is gone.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	<-s.ended
	s.process = nil
}

// Pause holds it: connections are taken, and nothing is answered.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Continue lets it go on after a Pause.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(which os.Signal) {
	s.tb.Helper()
	if err := s.process.Process.Signal(which); err != nil {
		s.tb.Fatal(err)
	}
}

// Client is one of the test's own.
func (s *Server) Client() *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: s.Address(), Protocol: 2})
	s.tb.Cleanup(func() { _ = client.Close() })
	return client
}

// Do runs a command on it, which must succeed.
func (s *Server) Do(command ...any) {
	s.tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.Address(), Protocol: 2})
	defer func() { _ = client.Close() }()
	if err := client.Do(context.Background(), command...).Err(); err != nil {
		s.tb.Fatalf("%v: %v", command, err)
	}
}

// missing skips a test that lacks a server, or fails it where servers must be
// there.
func missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("SCOPEGATE_REQUIRE_SERVICES") != "" {
		tb.Fatal(what)
	}
	tb.Skip(what)
}
