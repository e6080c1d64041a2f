package harness

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// heldEngine is an engine whose searches begin when the gate opens.
type heldEngine struct {
	app.Engine
	gate *Gate
}

// Search implements search.Searcher.
func (e heldEngine) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	if err := e.gate.pass(ctx); err != nil {
		return search.Result{}, err
	}
	return e.Engine.Search(ctx, scope, q)
}

// Gate holds searches back until it is opened.
type Gate struct {
	Reached chan struct{} // one for each search that came to it
	opened  chan struct{}
}

// NewGate makes a closed one, for as many searches as a test may make.
func NewGate() *Gate {
	return &Gate{Reached: make(chan struct{}, 100), opened: make(chan struct{})}
}

// Open lets all searches begin, those to come as well.
func (g *Gate) Open() { close(g.opened) }

func (g *Gate) pass(ctx context.Context) error {
	select {
	case g.Reached <- struct{}{}:
	default: // nobody counts so far
	}
	select {
	case <-g.opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// AwaitSearches returns when n more searches are held back.
func (g *Gate) AwaitSearches(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-g.Reached:
		case <-time.After(time.Minute):
			t.Fatal("no search comes to the engine")
		}
	}
}

// Serve is a runner of `scopegate serve` on a held engine.
func (g *Gate) Serve(ctx context.Context, args []string, stderr io.Writer) (err error) {
	settings := []string{"listen=127.0.0.1:0"}
	for i, arg := range args {
		if arg == "--set" {
			settings = append(settings, args[i+1])
		}
	}
	cfg, err := config.Load(config.Sources{Set: settings})
	if err != nil {
		return err
	}
	store, err := app.EngineOf(cfg).Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	running, err := app.Start(ctx, app.Parts{Config: cfg, Store: heldEngine{store, g}, Logs: stderr})
	if err != nil {
		return err
	}
	return running.Wait()
}
