package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

const (
	startTimeout = time.Minute
	startPause   = 50 * time.Millisecond
)

// process is one of another program while it runs.
type process struct {
	command *exec.Cmd
	ended   chan struct{}
}

// startProcess starts the command; done is called when it has ended.
func startProcess(command *exec.Cmd, done func()) (process, error) {
	p := process{command: command, ended: make(chan struct{})}
	if err := command.Start(); err != nil {
		return p, err
	}
	go func() {
		defer close(p.ended)
		_ = command.Wait() // what it serves, or its log, says more
		done()
	}()
	return p, nil
}

// await asks until it is ready, or has failed to become so.
func (p process) await(ctx context.Context, ready func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errNotReady)
	defer cancel()
	for {
		ready, err := ready(ctx)
		if ready || err != nil {
			return err
		}
		select {
		case <-p.ended:
			return errEnded
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(startPause):
		}
	}
}

// end tells it to end, and ends it when it does not.
func (p process) end() {
	_ = p.command.Process.Signal(syscall.SIGTERM) // may have ended by now
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		_ = p.command.Process.Kill()
		<-p.ended
	}
}

// server is a process that serves, on ports that it chose itself.
type server struct {
	process
	served

	log string // file
}

// served is the line of a server's log that tells where it listens, as the
// gateway writes it.
type served struct {
	Message string `json:"msg"`
	API     string `json:"api"`   // http://HOST:PORT
	Admin   string `json:"admin"` // http://HOST:PORT; "": it has none
}

const servingMessage = "serving"

// serveAsGateway serves until the context ends, and tells where as the gateway does.
func serveAsGateway(ctx context.Context, std streams, handler http.Handler) error {
	server, address, err := serveLocally(ctx, handler)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(std.err).Encode(served{Message: servingMessage, API: "http://" + address}); err != nil {
		return errors.Join(err, server.Close())
	}
	<-ctx.Done()
	return server.Close()
}

// startServer runs the program until it serves and, if it has an admin listener,
// is ready. Its log goes to a file, as a gateway's would.
func startServer(ctx context.Context, p program, args ...string) (_ *server, err error) {
	log, err := os.CreateTemp("", "scopegate-bench-*.log")
	if err != nil {
		return nil, err
	}
	s := &server{log: log.Name()}
	command := p.command(ctx, args...)
	command.Stderr = log
	if s.process, err = startProcess(command, func() { _ = log.Close() }); err != nil {
		return nil, errors.Join(err, log.Close(), os.Remove(log.Name()))
	}
	if err := s.await(ctx, s.ready); err != nil {
		said, _ := os.ReadFile(s.log) // what there is of it
		return nil, errors.Join(fmt.Errorf("%s %s: %w\n%s", p, args[0], err, said), s.stop())
	}
	return s, nil
}

// stop ends the process and removes its log.
func (s *server) stop() error {
	s.end()
	return os.Remove(s.log)
}

var (
	errEnded    = errors.New("it ended")
	errNotReady = errors.New("it did not get ready")
)

func (s *server) ready(ctx context.Context) (bool, error) {
	if s.API == "" {
		if err := s.readAddresses(); err != nil || s.API == "" {
			return false, err
		}
	}
	if s.Admin == "" {
		return true, nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Admin+"/readyz", nil)
	if err != nil {
		return false, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false, nil //nolint:nilerr // not yet: it is asked again
	}
	return answer.StatusCode == http.StatusOK, answer.Body.Close()
}

// readAddresses looks for the line that tells them.
func (s *server) readAddresses() error {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var line served
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == servingMessage {
			s.served = line
		}
	}
	return nil
}

// ticks is how many a second there are in /proc (proc(5), sysconf(_SC_CLK_TCK)):
// the same on all that Go runs on.
const ticks = 100

// cpu is what the process and its threads have used of processors so far; 0 where
// the system does not tell.
func (s *server) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.command.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte(") ")) // behind the program's name
	fields := bytes.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, err1 := strconv.Atoi(string(fields[11]))
	system, err2 := strconv.Atoi(string(fields[12]))
	if errors.Join(err1, err2) != nil {
		return 0
	}
	return time.Duration(user+system) * time.Second / ticks
}

// address is HOST:PORT of the API.
func (s *server) address() string {
	u, err := url.Parse(s.API)
	if err != nil {
		return ""
	}
	return u.Host
}
