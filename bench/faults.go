package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// redisDelay is that of a slow Redis.
	redisDelay = 200 * time.Millisecond
	// findLimit is how long what is stored is looked for.
	findLimit = 30 * time.Second
	// idlePause is for what the gateway does behind an answer: it stores it.
	idlePause = 20 * time.Millisecond
)

// faultsCase is all page: a count would be found in the process.
var faultsCase = hitCase{"3 sessions", 3, "&withoutCount=true"}

// faultsCommand measures searches while the Redis of the gateway is at fault.
type faultsCommand struct {
	Scopegate string `default:"bin/scopegate" type:"existingfile" help:"The gateway's program."`
	Seconds   int    `default:"10" help:"How long each fault lasts (default ${default})."`
	Out       string `type:"path" placeholder:"FILE" help:"Page of the documentation whose block is replaced; none: print only."`
}

// Run measures and reports.
func (c faultsCommand) Run(ctx context.Context, std streams) (err error) {
	b, err := newBench(ctx, program(c.Scopegate), cacheSessions, std.err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.issuer.close()) }()
	b.perCase, b.busy = time.Duration(c.Seconds)*time.Second, 4
	b.engines = []engine{b.embedded()}
	if _, err := b.load(ctx, b.engines); err != nil {
		return err
	}
	result, err := b.faults(ctx)
	if err != nil {
		return err
	}
	about := fmt.Sprintf("%s sessions in SQLite; gateway, Redis and load share %s.", thousands(cacheSessions), processor())
	return publish(std.out, c.Out, "bench-faults", markdown(target("bench-faults", defaultSessions, c.Seconds), about, []table{result}))
}

// fault is one way in which a Redis goes wrong while it is used, and gets well
// again.
type fault struct {
	name       string
	begin, end func(context.Context) error
}

func redisFaults(server *peer, through *proxy, client *redis.Client) []fault {
	signal := func(s syscall.Signal) func(context.Context) error {
		return func(context.Context) error { return server.command.Process.Signal(s) }
	}
	set := func(do func()) func(context.Context) error {
		return func(context.Context) error { do(); return nil }
	}
	command := func(words ...any) func(context.Context) error {
		return func(ctx context.Context) error { return client.Do(ctx, words...).Err() }
	}
	return []fault{
		{"well", nothing, nothing},
		{"stopped (SIGSTOP)", signal(syscall.SIGSTOP), signal(syscall.SIGCONT)},
		{"slow (200 ms)", set(func() { through.delay.Store(int64(redisDelay)) }), set(func() { through.delay.Store(0) })},
		{"resetting", set(func() { through.resets.Store(true) }), set(func() { through.resets.Store(false) })},
		{"full", command("CONFIG", "SET", "maxmemory", "1"), command("CONFIG", "SET", "maxmemory", "0")},
		{"read-only", command("REPLICAOF", "127.0.0.1", "1"), command("REPLICAOF", "NO", "ONE")},
	}
}

// faults has a load go on while Redis is at fault, beside the same load on a
// gateway without a cache.
func (b *bench) faults(ctx context.Context) (_ table, err error) {
	server, err := startRedis(ctx)
	if err != nil {
		return table{}, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	through, err := startProxy(ctx, server.address)
	if err != nil {
		return table{}, err
	}
	defer func() { err = errors.Join(err, through.stop()) }()
	client := redis.NewClient(&redis.Options{Addr: server.address})
	defer func() { err = errors.Join(err, client.Close()) }()
	b.redis = through.address()

	calm, largest, err := b.withoutCache(ctx)
	if err != nil {
		return table{}, err
	}
	result := table{
		title: "Searches while Redis is at fault",
		note: fmt.Sprintf("%d searches at a time for %d pages in turn, of which the tier in process, made as small as it goes, holds one: each search "+
			"needs Redis or the engine. All are answered by 200. The fault begins with the load. Beyond: the p99 less that without a cache; "+
			"target: at most 50 ms. Hits again: from the fault's end until what was just stored is found in Redis; target: 10 s.", b.busy, hitPool),
		head: []string{"Redis is", "p50", "p99", "beyond", "searches a second", "hits again after"},
		rows: [][]string{{"not used (no cache)", milliseconds(calm.percentile(50)), milliseconds(calm.percentile(99)), "", thousands(int(calm.rate())), ""}},
	}
	gateway, err := b.gateway(ctx, b.cachedSettings(largest+memoryRoom)...)
	if err != nil {
		return table{}, err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	searches := newHits(b.caller(gateway), faultsCase, b.busy, "redis")
	for _, f := range redisFaults(server, through, client) {
		b.say("Redis is %s", f.name)
		row, err := b.fault(ctx, f, searches, calm)
		if err != nil {
			return table{}, fmt.Errorf("redis is %s: %w", f.name, err)
		}
		result.rows = append(result.rows, row)
	}
	return result, nil
}

// withoutCache is the load on a gateway without a cache, and the size of the
// largest answer.
func (b *bench) withoutCache(ctx context.Context) (calm sample, largest int, err error) {
	gateway, err := b.uncached(ctx, b.engines[0])
	if err != nil {
		return sample{}, 0, err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	searches := newHits(b.caller(gateway), faultsCase, b.busy, "")
	bodies, err := answers(ctx, searches.address, searches.requests)
	if err != nil {
		return sample{}, 0, err
	}
	for _, body := range bodies {
		largest = max(largest, len(body))
	}
	calm, err = searches.run(ctx, b.perCase)
	return calm, largest, err
}

func (b *bench) fault(ctx context.Context, is fault, searches *hits, calm sample) (row []string, err error) {
	if err := searches.fill.once(ctx); err != nil {
		return nil, err
	}
	if err := is.begin(ctx); err != nil {
		return nil, err
	}
	s, err := searches.run(ctx, b.perCase)
	if err := errors.Join(err, is.end(context.WithoutCancel(ctx))); err != nil {
		return nil, err
	}
	again, err := searches.found(ctx)
	beyond := s.percentile(99) - calm.percentile(99)
	return []string{
		is.name, milliseconds(s.percentile(50)), milliseconds(s.percentile(99)), milliseconds(beyond),
		thousands(int(s.rate())), milliseconds(again),
	}, err
}

var errNotFound = errors.New("what is stored is not found again")

// found is how long it takes until what was just stored is found in the tier.
func (l *hits) found(ctx context.Context) (time.Duration, error) {
	c := &connection{address: l.address}
	defer c.close()
	began := time.Now()
	for i := 0; time.Since(began) < findLimit; i++ {
		stored, other := l.fill.requests[i%hitPool], l.fill.requests[(i+1)%hitPool]
		var header http.Header
		for _, r := range []request{stored, other, l.requests[i%hitPool]} { // memory holds the other one
			var err error
			if header, err = c.send(ctx, r, nil); err != nil {
				return 0, err
			}
			time.Sleep(idlePause)
		}
		if l.from(header) {
			return time.Since(began), nil
		}
	}
	return 0, errNotFound
}
