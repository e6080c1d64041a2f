package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// defaultLoads bounds the searches of one account as a gateway does by itself.
	defaultLoads = "limits.account_loads=16"
	// stallKeyword is the dearest that is known: many words that most sessions hold.
	stallKeyword = "0 1 2 3 4 5 6 7 8 9 a b c d e f"
	// stallAtOnce is how many of its searches are under way, each abandoned after
	// stallPatience.
	stallAtOnce   = 6
	stallPatience = time.Second
	// stallPause is between two looks at how others fare.
	stallPause = 20 * time.Millisecond
	// stallLimits are different pages of one search: as many are new to the cache.
	stallLimits = 1000
	// resetAtOnce is how many connections are being reset at a time, each within
	// resetWithin of its request.
	resetAtOnce = 8
	resetWithin = 3 * time.Millisecond
	// resetLooks is how many requests afterwards must be answered.
	resetLooks = 500
)

// stallCommand measures what one account's dear searches, and callers who leave,
// do to others.
type stallCommand struct {
	Scopegate string   `default:"bin/scopegate" type:"existingfile" help:"The gateway's program."`
	Sessions  int      `default:"50000" help:"Sessions to search (default ${default})."`
	Seconds   int      `default:"10" help:"How long the dear searches go on (default ${default})."`
	Resets    int      `default:"20000" help:"Requests that their client resets (default ${default})."`
	Set       []string `placeholder:"KEY=VALUE" help:"Settings of the gateway."`
	Out       string   `type:"path" placeholder:"FILE" help:"Page of the documentation whose block is replaced; none: print only."`
}

// Run measures and reports.
func (c stallCommand) Run(ctx context.Context, std streams) (err error) {
	b, err := newBench(ctx, program(c.Scopegate), c.Sessions, std.err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.issuer.close()) }()
	b.perCase, b.engines = time.Duration(c.Seconds)*time.Second, []engine{b.embedded()}
	if _, err := b.load(ctx, b.engines); err != nil {
		return err
	}
	stalled, err := b.stall(ctx, c.Set)
	if err != nil {
		return err
	}
	reset, err := b.resets(ctx, c.Resets)
	if err != nil {
		return err
	}
	about := fmt.Sprintf("%s sessions in SQLite; gateway and load share %s.", thousands(c.Sessions), processor())
	return publish(std.out, c.Out, "bench-stall", markdown("make bench-stall", about, []table{stalled, reset}))
}

// stall has one account ask for the keyword while another one pages.
func (b *bench) stall(ctx context.Context, set []string) (_ table, err error) {
	gateway, err := b.gateway(ctx, slices.Concat(b.engines[0].settings, []string{defaultLoads}, set)...)
	if err != nil {
		return table{}, err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	token, err := b.issuer.agent(companyID(1, 0))
	if err != nil {
		return table{}, err
	}
	other := caller{address: gateway.address(), token: token}
	result := table{
		title: "Dear searches of one account",
		note: fmt.Sprintf("One account asks for `keyword=%s` in all companies, %d at a time, each abandoned after %v: pages that are not in the cache. "+
			"Meanwhile an account of another company asks for pages of its own that are not in it either, and /readyz is asked. "+
			"Memory is what the gateway holds at its most beyond what it held before (resident). Target: p99 at most 100 ms, 64 MiB.",
			stallKeyword, stallAtOnce, stallPatience),
		head: []string{"meanwhile", "page p50", "page p99", "/readyz p50", "/readyz p99", "failed", "memory", "searches abandoned"},
	}
	var page atomic.Int64
	quiet, err := b.others(ctx, gateway, other, &page)
	if err != nil {
		return table{}, err
	}
	result.rows = append(result.rows, quiet.row("nothing", 0, 0))
	b.say("%d of `%s` at a time", stallAtOnce, stallKeyword)
	idle, memory := gateway.resident(), watchMemory(gateway)
	dear, stop := context.WithCancel(ctx)
	var abandoned atomic.Int64
	var asking sync.WaitGroup
	for i := range stallAtOnce {
		asking.Go(func() {
			for n := i; dear.Err() == nil; n += stallAtOnce {
				if b.abandon(dear, gateway, 1+n%stallLimits) {
					abandoned.Add(1)
				}
			}
		})
	}
	beside, err := b.others(ctx, gateway, other, &page)
	stop()
	asking.Wait()
	most := memory.stop()
	result.rows = append(result.rows, beside.row("the dear searches", most-idle, int(abandoned.Load())))
	return result, err
}

func (o othersFare) row(what string, more int64, abandoned int) []string {
	return []string{
		what, milliseconds(o.pages.percentile(50)), milliseconds(o.pages.percentile(99)),
		milliseconds(o.ready.percentile(50)), milliseconds(o.ready.percentile(99)), thousands(o.failed),
		fmt.Sprintf("+%d MiB", max(0, more)>>20), thousands(abandoned),
	}
}

// abandon asks for a page of the keyword, and reports whether it took too long.
func (b *bench) abandon(ctx context.Context, gateway *server, limit int) bool {
	ctx, cancel := context.WithTimeout(ctx, stallPatience)
	defer cancel()
	target := fmt.Sprintf("%s%s?showAllSupervised=true&withoutCount=true&limit=%d&keyword=%s", gateway.API, listPath, limit, url.QueryEscape(stallKeyword))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return false
	}
	r.Header = b.caller(gateway).header()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return true
	}
	_ = answer.Body.Close() // what is in it does not matter
	return false
}

// othersFare is how the other account's pages and the gateway's readiness did.
type othersFare struct {
	pages, ready sample
	failed       int // answers that are not 200
}

// others asks for both in turn.
func (b *bench) others(ctx context.Context, gateway *server, other caller, page *atomic.Int64) (o othersFare, err error) {
	c := &connection{address: gateway.address()}
	defer c.close()
	admin, err := url.Parse(gateway.Admin)
	if err != nil {
		return o, err
	}
	health := &connection{address: admin.Host}
	defer health.close()
	readyz := newRequest(http.MethodGet, admin.Host, "/readyz", nil, nil)
	var tookPage, tookReady []time.Duration
	began := time.Now()
	for time.Since(began) < b.perCase {
		if err := ctx.Err(); err != nil {
			return o, err
		}
		path := fmt.Sprintf("%s?withoutCount=true&limit=10&offset=%d", listPath, page.Add(1))
		one, err := load{}.one(ctx, c, newRequest(http.MethodGet, c.address, path, other.header(), nil))
		o.failed += failure(err)
		tookPage = append(tookPage, one)
		one, err = load{}.one(ctx, health, readyz)
		o.failed += failure(err)
		tookReady = append(tookReady, one)
		time.Sleep(stallPause)
	}
	o.pages, o.ready = newSample(tookPage, 0), newSample(tookReady, 0)
	return o, nil
}

// failure counts an answer that is not 200.
func failure(err error) int {
	if err != nil {
		return 1
	}
	return 0
}

// resets has clients reset their connections while they are answered, and looks
// what becomes of those who ask afterwards.
func (b *bench) resets(ctx context.Context, count int) (_ table, err error) {
	gateway, err := b.uncached(ctx, b.engines[0])
	if err != nil {
		return table{}, err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	b.say("%d requests that are reset", count)
	search := newRequest(http.MethodGet, gateway.address(), listPath+"?showAllSupervised=true&limit=200&withoutCount=true", b.caller(gateway).header(), nil)
	var left atomic.Int64
	left.Store(int64(count))
	clients, sending := errgroup.WithContext(ctx)
	for range resetAtOnce {
		clients.Go(func() error {
			for left.Add(-1) >= 0 {
				if err := resetOne(sending, gateway.address(), search); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := clients.Wait(); err != nil {
		return table{}, err
	}
	failed := 0
	c := &connection{address: gateway.address()}
	defer c.close()
	for range resetLooks {
		if _, err := c.send(ctx, search, nil); err != nil {
			failed++
		}
	}
	return table{
		title: "Clients who reset their connections",
		note: fmt.Sprintf("Cache off. Each sends a search for 200 sessions and resets the connection within %v. Afterwards %d searches are asked one "+
			"after the other. Target: none fails.", resetWithin, resetLooks),
		head: []string{"requests reset", "searches afterwards", "failed"},
		rows: [][]string{{thousands(count), thousands(resetLooks), thousands(failed)}},
	}, nil
}

// resetOne sends the request and resets the connection while it is being answered.
func resetOne(ctx context.Context, address string, r request) error {
	open, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	if tcp, ok := open.(*net.TCPConn); ok {
		err = tcp.SetLinger(0) // Close sends RST
	}
	if err == nil {
		_, err = open.Write(r)
	}
	time.Sleep(rand.N(resetWithin)) // #nosec G404 -- a time to wait
	return errors.Join(err, open.Close())
}
