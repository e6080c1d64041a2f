package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// overloadAccounts send the load; each supervises all companies.
	overloadAccounts = 64
	// overloadOpen bounds the requests that wait for an answer at a time. What cannot
	// be sent because of it is counted.
	overloadOpen = 1000
	// politePause is between the requests of the polite account.
	politePause = 100 * time.Millisecond
	// livezPause is between two looks at /livez.
	livezPause = 200 * time.Millisecond
)

// overloadCommand measures what is answered when far more is asked than fits.
type overloadCommand struct {
	Scopegate     string   `default:"bin/scopegate" type:"existingfile" help:"The gateway's program."`
	Sessions      int      `default:"1000000" help:"Sessions to search (default ${default})."`
	Seconds       int      `default:"60" help:"How long each rate is sent (default ${default})."`
	Elasticsearch string   `env:"SCOPEGATE_TEST_ELASTICSEARCH" placeholder:"URL" help:"http://HOST:PORT; none: SQLite only."`
	Only          string   `enum:",Elasticsearch,SQLite" default:"" help:"One engine; none: both."`
	Set           []string `placeholder:"KEY=VALUE" help:"Settings of the gateway."`
	Out           string   `type:"path" placeholder:"FILE" help:"Page of the documentation whose block is replaced; none: print only."`
}

// Run measures and reports. It must itself run on the load's core.
func (c overloadCommand) Run(ctx context.Context, std streams) (err error) {
	b, err := newBench(ctx, program(c.Scopegate), c.Sessions, std.err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.issuer.close()) }()
	b.perCase, b.pinned = time.Duration(c.Seconds)*time.Second, true
	b.engines = []engine{b.embedded()}
	if c.Elasticsearch != "" {
		b.onBoth(c.Elasticsearch)
	}
	b.engines = slices.DeleteFunc(b.engines, func(e engine) bool { return c.Only != "" && e.name != c.Only })
	if _, err := b.load(ctx, b.engines); err != nil {
		return err
	}
	rates := table{
		title: "More than fits",
		note: fmt.Sprintf("Cache off, keyword searches (page and count) of all companies by %d accounts, limits of loads as by default. The peak is the highest rate of answers "+
			"to some callers who each ask again at once, in the same run. Then so many times that rate is sent, whatever is answered. Targets: goodput at "+
			"least 0.85 of the peak at 10 times, 0.70 at 30 times; p99 of what is answered at most 3 times that at the peak; p95 of refusals at most 20 ms; memory at "+
			"most 1.5 times that at the peak; /livez within 100 ms.", overloadAccounts),
		head: []string{"engine", "sent", "answered, 1/s", "of the peak", "p50", "p99", "refused, 1/s", "refused p95", "failed", "not sent", "memory", "/livez, longest"},
	}
	polite := table{
		title: "A polite account beside a flood",
		note:  "One account asks every 100 ms, another one sends ten times the peak. Target: p99 at most twice that alone.",
		head:  []string{"engine", "meanwhile", "p50", "p99", "refused"},
	}
	for _, e := range b.engines {
		more, fair, err := b.overload(ctx, e, c.Set)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		rates.rows, polite.rows = append(rates.rows, more...), append(polite.rows, fair...)
	}
	about := fmt.Sprintf("%s sessions. The load has a core to itself; gateway and SQLite share the other on %s.", thousands(c.Sessions), processor())
	return publish(std.out, c.Out, "bench-overload", markdown(target("bench-overload", c.Sessions, c.Seconds), about, []table{rates, polite}))
}

// overload measures one engine.
func (b *bench) overload(ctx context.Context, e engine, set []string) (rows, fair [][]string, err error) {
	if err := e.rest(ctx); err != nil {
		return nil, nil, err
	}
	settings := slices.Concat(e.settings, b.issuer.settings(), []string{
		cacheOff, "listen=127.0.0.1:0", "admin.listen=127.0.0.1:0", "limits.account.per_minute=0", "limits.company.per_minute=0", "http.max_connections=4096",
	}, set)
	gateway, err := b.start(ctx, b.scopegate, with(settings, "serve")...)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	flood, err := b.floodOf(ctx, gateway)
	if err != nil {
		return nil, nil, err
	}
	_ = flood.closed(ctx, 16, b.perCase/4) // warm
	var peak outcome
	for _, callers := range []int{4, 8, 16, 32} {
		b.say("%s: %d callers", e.name, callers)
		if o := flood.closed(ctx, callers, b.perCase/4); o.answered.rate() > peak.answered.rate() {
			peak = o
		}
	}
	rows = append(rows, peak.row(e.name, "the peak", peak))
	for _, times := range []float64{10, 30} {
		b.say("%s: %.0f times %.0f a second", e.name, times, peak.answered.rate())
		o := flood.open(ctx, times*peak.answered.rate(), b.perCase)
		rows = append(rows, o.row(e.name, fmt.Sprintf("%.0f times", times), peak))
	}
	b.say("%s: a polite account", e.name)
	one := flood
	one.requests = flood.of("greedy")
	mine := flood
	mine.requests = flood.of("polite")
	alone := mine.polite(ctx, b.perCase/2)
	var done sync.WaitGroup
	done.Go(func() { one.open(ctx, 10*peak.answered.rate(), b.perCase/2+time.Second) })
	time.Sleep(time.Second)
	beside := mine.polite(ctx, b.perCase/2-time.Second)
	done.Wait()
	for name, o := range map[string]outcome{"alone": alone, "beside the flood": beside} {
		fair = append(fair, []string{e.name, name, milliseconds(o.answered.percentile(50)), milliseconds(o.answered.percentile(99)), thousands(len(o.refused.took))})
	}
	slices.SortFunc(fair, slices.Compare)
	return rows, fair, ctx.Err()
}

// flood sends searches to a gateway.
type flood struct {
	gateway  *server
	requests []request
	of       func(account string) []request
}

func (b *bench) floodOf(ctx context.Context, gateway *server) (f flood, err error) {
	found, err := names(ctx, b.caller(gateway))
	if err != nil {
		return f, err
	}
	tokens := map[string]string{}
	accounts := []string{"greedy", "polite"}
	for i := range overloadAccounts {
		accounts = append(accounts, "account-"+strconv.Itoa(i))
	}
	for _, account := range accounts {
		if tokens[account], err = b.issuer.sign(rootCompany, account, "supervisor"); err != nil {
			return f, err
		}
	}
	of := func(account string) (requests []request) {
		for range 64 {
			name := []rune(found[rand.IntN(len(found))]) // #nosec G404 -- a choice of searches
			path := listPath + "?showAllSupervised=true&keyword=" + url.QueryEscape(string(name[:min(4, len(name))]))
			requests = append(requests, newRequest(http.MethodGet, gateway.address(), path, caller{address: gateway.address(), token: tokens[account]}.header(), nil))
		}
		return requests
	}
	f = flood{gateway: gateway, of: of}
	for _, account := range accounts[2:] {
		f.requests = append(f.requests, of(account)...)
	}
	rand.Shuffle(len(f.requests), func(i, j int) { f.requests[i], f.requests[j] = f.requests[j], f.requests[i] }) // #nosec G404 -- an order of searches
	return f, nil
}

// outcome is what became of the requests of one rate.
type outcome struct {
	answered, refused sample
	failed, notSent   int
	memory            int64
	livez             time.Duration
}

func (o outcome) row(engine, sent string, peak outcome) []string {
	return []string{
		engine, sent, fmt.Sprintf("%.0f", o.answered.rate()), fmt.Sprintf("%.2f", o.answered.rate()/max(peak.answered.rate(), 1)),
		milliseconds(o.answered.percentile(50)), milliseconds(o.answered.percentile(99)),
		fmt.Sprintf("%.0f", o.refused.rate()), milliseconds(o.refused.percentile(95)), thousands(o.failed), thousands(o.notSent),
		fmt.Sprintf("%d MiB", o.memory>>20), milliseconds(o.livez),
	}
}

// counting collects the outcome; safe for several goroutines.
type counting struct {
	mu                sync.Mutex
	answered, refused []time.Duration
	failed            int
}

func (c *counting) add(status int, took time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil:
		c.failed++
	case status == http.StatusOK:
		c.answered = append(c.answered, took)
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
		c.refused = append(c.refused, took)
	default:
		c.failed++
	}
}

// watched runs the load, and looks at memory and /livez meanwhile.
func (f flood) watched(ctx context.Context, run func(*counting) (notSent int)) (o outcome) {
	var c counting
	memory := watchMemory(f.gateway)
	looking, stop := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		admin := strings.TrimPrefix(f.gateway.Admin, "http://")
		health := &connection{address: admin}
		defer health.close()
		livez := newRequest(http.MethodGet, admin, "/livez", nil, nil)
		for looking.Err() == nil {
			if _, took, err := exchange(ctx, health, livez); err == nil {
				o.livez = max(o.livez, took)
			}
			time.Sleep(livezPause)
		}
	})
	began := time.Now()
	o.notSent = run(&c)
	elapsed := time.Since(began)
	stop()
	done.Wait()
	o.memory = memory.stop()
	o.answered, o.refused, o.failed = newSample(c.answered, elapsed), newSample(c.refused, elapsed), c.failed
	return o
}

// closed has callers ask again as soon as they have an answer.
func (f flood) closed(ctx context.Context, callers int, d time.Duration) outcome {
	return f.watched(ctx, func(c *counting) int {
		var next atomic.Int64
		var done sync.WaitGroup
		began := time.Now()
		for range callers {
			done.Go(func() {
				conn := &connection{address: f.gateway.address()}
				defer conn.close()
				for ctx.Err() == nil && time.Since(began) < d {
					c.add(exchange(ctx, conn, f.requests[int(next.Add(1))%len(f.requests)]))
				}
			})
		}
		done.Wait()
		return 0
	})
}

// open sends at the rate, whatever is answered.
func (f flood) open(ctx context.Context, rate float64, d time.Duration) outcome {
	return f.watched(ctx, func(c *counting) (notSent int) {
		idle := make(chan *connection, overloadOpen)
		for range overloadOpen {
			idle <- &connection{address: f.gateway.address()}
		}
		var done sync.WaitGroup
		began := time.Now()
		for i := 0; ctx.Err() == nil && time.Since(began) < d; i++ {
			time.Sleep(time.Until(began.Add(time.Duration(float64(i) / rate * float64(time.Second)))))
			select {
			case conn := <-idle:
				done.Go(func() {
					c.add(exchange(ctx, conn, f.requests[i%len(f.requests)]))
					idle <- conn
				})
			default:
				notSent++
			}
		}
		done.Wait()
		for range overloadOpen {
			(<-idle).close()
		}
		return notSent
	})
}

// polite asks now and then.
func (f flood) polite(ctx context.Context, d time.Duration) outcome {
	return f.watched(ctx, func(c *counting) int {
		conn := &connection{address: f.gateway.address()}
		defer conn.close()
		for began, i := time.Now(), 0; ctx.Err() == nil && time.Since(began) < d; i++ {
			c.add(exchange(ctx, conn, f.requests[i%len(f.requests)]))
			time.Sleep(politePause)
		}
		return 0
	})
}

// exchange sends a request and reads its answer, whatever its status.
func exchange(ctx context.Context, c *connection, r request) (status int, took time.Duration, err error) {
	began := time.Now()
	if err := c.dial(ctx); err != nil {
		return 0, 0, err
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if err := c.open.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return 0, 0, err
	}
	if _, err := c.open.Write(r); err != nil {
		return 0, 0, err
	}
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, 0, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, time.Since(began), errors.Join(err, answer.Body.Close())
}
