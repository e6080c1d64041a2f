package cli

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/cmd/scopegate/demo"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/search/sqlite"
)

// startTimeout bounds how long the demo waits for its own first answer.
const startTimeout = 20 * time.Second

type demoCommand struct {
	Listen   string `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Loopback address to listen on; port 0 picks a free one (default ${default})."`
	Data     string `type:"path" default:"./scopegate-data/demo" placeholder:"DIR" help:"Folder for the generated data (default ./scopegate-data/demo)."`
	Sessions int    `default:"50000" placeholder:"N" help:"Sessions to generate on the first start (default ${default})."`
	LogLevel string `enum:"debug,info,warn,error" default:"warn" help:"Lowest level of the log on standard error: ${enum} (default ${default}); info has a line for each request."`
}

// Help is shown by `scopegate demo --help`.
func (demoCommand) Help() string {
	return `One process and one folder: the embedded engine, the cache, an identity provider with four
accounts, and generated sessions of people who do not exist. The folder is filled on the first start
and kept as it is then; delete it to start anew.

The identity provider lists its passwords, so the demo listens on loopback addresses only.`
}

// Run serves the demo until ctx is done.
func (c demoCommand) Run(ctx context.Context, std Streams) (err error) {
	if c.Sessions < 1 {
		return &exitError{ExitUsage, errors.New("--sessions must be at least 1")}
	}
	listener, err := listenLoopback(ctx, c.Listen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Closing(listener)()) }()
	store, err := sqlite.Open(ctx, sqlite.Options{Dir: c.Data})
	if errors.Is(err, sqlite.ErrOutdated) {
		if _, err = sqlite.Migrate(ctx, c.Data, nil); err == nil {
			store, err = sqlite.Open(ctx, sqlite.Options{Dir: c.Data})
		}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	sessions, err := c.fill(ctx, store, std)
	if err != nil {
		return err
	}
	return c.serve(ctx, std, store, listener, sessions)
}

// listenLoopback comes before all that takes time, so that a port in use is
// told at once.
func listenLoopback(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &exitError{ExitUsage, fmt.Errorf("--listen must be HOST:PORT: %w", err)}
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, &exitError{ExitUsage, fmt.Errorf(
			"--listen %s: the demo lists its passwords, so it listens on loopback only: use 127.0.0.1:PORT, or `scopegate serve`", address)}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w: choose another port with --listen, 127.0.0.1:0 for any free one", err)
	}
	return listener, nil
}

// fill seeds the folder unless it is, and tells about it. It returns how many
// sessions there are.
func (c demoCommand) fill(ctx context.Context, store *sqlite.Store, std Streams) (int, error) {
	bar := newCountBar(std.Err, "sessions", c.Sessions)
	seeded, err := demo.Seed(ctx, store, demo.SeedOptions{
		Sessions: c.Sessions, Seed: demo.DefaultSeed, Now: time.Now(),
		Progress: func(done, of int) { bar.show(int64(done), int64(of)) },
	})
	bar.done()
	switch {
	case errors.Is(err, demo.ErrForeignFolder):
		return 0, fmt.Errorf("%s: %w; nothing in it was touched: use another folder with --data", c.Data, err)
	case err != nil:
		return 0, fmt.Errorf("seed %s: %w", c.Data, err)
	}
	return seeded.Sessions, c.reportSeeded(std.Out, seeded)
}

func (c demoCommand) reportSeeded(out io.Writer, s demo.Seeded) error {
	var text string
	switch {
	case s.Resumed:
		text = fmt.Sprintf("went on where an earlier start was cut short: %d of %d sessions written to %s in %.1f s",
			s.Written, s.Sessions, c.Data, s.Took.Seconds())
	case s.Written > 0:
		text = fmt.Sprintf("%d sessions written to %s in %.1f s", s.Written, c.Data, s.Took.Seconds())
	default:
		text = fmt.Sprintf("%s has %d sessions up to %s", c.Data, s.Sessions, s.Now.Format(time.DateTime))
	}
	if s.Sessions != c.Sessions {
		text += fmt.Sprintf("\nthey are kept; for %d, delete the folder or choose another with --data", c.Sessions)
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

// serve starts the gateway with the identity provider beside it, shows what it
// does, and waits.
func (c demoCommand) serve(ctx context.Context, std Streams, store *sqlite.Store, listener net.Listener, sessions int) error {
	identity, err := demo.NewIdentity(nil)
	if err != nil {
		return err
	}
	page, err := demo.NewPage()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cfg := c.config(listener.Addr().String())
	gate, err := app.Start(ctx, app.Parts{
		Config: cfg, Store: store, Logs: std.Err, Listener: listener,
		Extra:         map[string]http.Handler{"/dev/": identity.Handler(), "GET /{$}": page},
		LoopbackHosts: true,
	})
	if err != nil {
		return err
	}
	report := demo.Report{URL: gate.URL, AdminURL: gate.AdminURL, Data: c.Data, Sessions: sessions}
	if err := show(ctx, std.Out, page, report); err != nil && ctx.Err() == nil {
		stop()
		return errors.Join(err, gate.Wait())
	}
	return gate.Wait()
}

// config trusts the identity provider at the given address and nobody else.
func (c demoCommand) config(address string) config.Config {
	cfg := config.Default()
	cfg.Listen, cfg.Admin.Listen = address, "127.0.0.1:0" // the usual admin port is often somebody's
	cfg.SQLite.Dir = c.Data
	cfg.Log.Level = c.LogLevel
	cursorKey := make([]byte, 32)
	_, _ = rand.Read(cursorKey) // never fails: see crypto/rand
	cfg.Cursor.Keys = []config.Secret{config.Secret(base64.StdEncoding.EncodeToString(cursorKey))}
	cfg.Identity.SupervisorRole = demo.SupervisorRole
	cfg.Identity.Issuers = []config.Issuer{{
		Issuer: demo.Issuer, JWKSURL: "http://" + address + demo.KeySetPath, Audiences: []string{demo.Audience},
	}}
	return cfg
}

// show searches through the demo's own listener, nothing cached and then again,
// and prints what came and what to try.
func show(ctx context.Context, out io.Writer, page *demo.Page, report demo.Report) error {
	if _, err := fmt.Fprintf(out, "listening on %s\n", report.URL); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client := demo.APIClient{Client: &http.Client{Transport: &http.Transport{}}, URL: report.URL}
	defer client.Client.CloseIdleConnections()
	token, err := client.Login(wait, demo.Supervisor())
	if err != nil {
		return err
	}
	if report.Cold, err = client.Search(wait, token); err != nil {
		return err
	}
	if report.Warm, err = client.Search(wait, token); err != nil {
		return err
	}
	if err := page.Show(report); err != nil {
		return err
	}
	return report.WriteText(out)
}
