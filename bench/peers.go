package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// peer is a server that is not the gateway: one that tells nothing when it is
// ready but by its port.
type peer struct {
	process

	address string // HOST:PORT
	folder  string // its own, removed when it stops
}

var errNotInstalled = errors.New("is not installed")

// startPeer runs the program on a free port of 127.0.0.1, in a folder of its
// own; arguments makes its command line.
func startPeer(ctx context.Context, name string, arguments func(port int, folder string) ([]string, error)) (_ *peer, err error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("%s %w: apt-get install %s", name, errNotInstalled, name)
	}
	folder, err := os.MkdirTemp("", "scopegate-bench-"+name+"-")
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	args, err := arguments(port, folder)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	p := &peer{folder: folder, address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	if p.process, err = startProcess(program(path).command(ctx, args...), func() {}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	if err := p.await(ctx, p.listens); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), p.stop())
	}
	return p, nil
}

func freePort(ctx context.Context) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

func (p *peer) listens(ctx context.Context) (bool, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.address)
	if err != nil {
		return false, nil //nolint:nilerr // not yet: it is asked again
	}
	return true, c.Close()
}

func (p *peer) stop() error {
	p.end()
	return os.RemoveAll(p.folder)
}

// startRedis keeps nothing on disk.
func startRedis(ctx context.Context) (*peer, error) {
	return startPeer(ctx, "redis-server", func(port int, folder string) ([]string, error) {
		return []string{"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", folder, "--save", "", "--appendonly", "no"}, nil
	})
}

// nginxConfig caches by URL and token, which is what a proxy that knows nothing
// of scopes has to do, and writes an access log, as the gateway does.
const nginxConfig = `daemon off;
worker_processes 1;
pid %[1]s/pid;
error_log %[1]s/error.log;
events { worker_connections 512; }
http {
	access_log %[1]s/access.log;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	sendfile on;
	tcp_nodelay on;
	keepalive_requests 100000000;
	proxy_cache_path %[1]s/cache levels=1:2 keys_zone=pages:16m max_size=256m;
	server {
		listen 127.0.0.1:%[2]d;
		location / {
			proxy_pass http://%[3]s;
			proxy_cache pages;
			proxy_cache_key $request_uri$http_authorization;
			proxy_cache_valid 200 1h;
			proxy_ignore_headers Cache-Control Vary Set-Cookie;
		}
	}
}
`

// startNginx proxies origin, HOST:PORT.
func startNginx(ctx context.Context, origin string) (*peer, error) {
	return startPeer(ctx, "nginx", func(port int, folder string) ([]string, error) {
		// Its worker is another user when it is started by root.
		if err := os.Chmod(folder, 0o755); err != nil { // #nosec G302 -- made-up answers
			return nil, err
		}
		name := filepath.Join(folder, "nginx.conf")
		text := fmt.Appendf(nil, nginxConfig, folder, port, origin)
		return []string{"-p", folder, "-c", name}, os.WriteFile(name, text, 0o600)
	})
}
