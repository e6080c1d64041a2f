package main

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// heldEngine is an engine whose searches begin when the gate opens.
type heldEngine struct {
	engine
	gate *gate
}

// Search implements search.Searcher.
func (e heldEngine) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	if err := e.gate.pass(ctx); err != nil {
		return search.Result{}, err
	}
	return e.engine.Search(ctx, scope, q)
}

// gate holds searches back until it is opened.
type gate struct {
	reached chan struct{} // one for each search that came to it
	opened  chan struct{}
}

// newGate makes a closed one, for as many searches as a test may make.
func newGate() *gate {
	return &gate{reached: make(chan struct{}, 100), opened: make(chan struct{})}
}

func (g *gate) open() { close(g.opened) }

func (g *gate) pass(ctx context.Context) error {
	select {
	case g.reached <- struct{}{}:
	default: // nobody counts so far
	}
	select {
	case <-g.opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// awaitSearches returns when n more searches are held back.
func (g *gate) awaitSearches(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-g.reached:
		case <-time.After(time.Minute):
			t.Fatal("no search comes to the engine")
		}
	}
}

// serve is a runner of `scopegate serve` on a held engine.
func (g *gate) serve(ctx context.Context, args []string, stderr io.Writer) (err error) {
	var cli commands
	parser, err := kong.New(&cli)
	if err != nil {
		return err
	}
	if _, err := parser.Parse(args); err != nil {
		return err
	}
	command := cli.Serve
	command.Set = append(command.Set, "listen="+command.Listen)
	cfg, err := command.load(nil, command.Data)
	if err != nil {
		return err
	}
	store, err := openEngine(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	running, err := startGateway(ctx, parts{config: cfg, store: heldEngine{store, g}, logs: stderr})
	if err != nil {
		return err
	}
	return running.Wait()
}

// awaitCallers returns when n requests wait for what the cache loads. That a
// request has joined another's load shows nowhere but in where it stands.
func awaitCallers(t *testing.T, n int) {
	t.Helper()
	const waiting = "scopegate/cache.(*Cache).waitAll("
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		stacks := make([]byte, 32<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if strings.Count(string(stacks), waiting) == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("there are no %d requests in %s…):\n%s", n, waiting, stacks)
		}
	}
}
