package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// cacheSessions are enough for the pages of a run: what is measured never
// reaches the engine.
const cacheSessions = 20_000

// cacheCommand measures the hit path alone: whoever is measured has a core to
// itself, Redis and the load share another.
type cacheCommand struct {
	Scopegate string `default:"bin/scopegate" type:"existingfile" help:"The gateway's program."`
	Seconds   int    `default:"10" help:"How long each side of a comparison is measured (default ${default})."`
	Only      string `enum:",redis,memory,observed redis,observed memory,nginx,limits" default:"" help:"One comparison: redis, memory, one of them observed, nginx, or limits; none: all."`
	Out       string `type:"path" placeholder:"FILE" help:"Page of the documentation whose block is replaced; none: print only."`
}

// Run measures and reports. It must itself run on the load's core.
func (c cacheCommand) Run(ctx context.Context, std streams) (err error) {
	b, err := c.bench(ctx, std)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.issuer.close()) }()
	if _, err := b.load(ctx, b.engines); err != nil {
		return err
	}
	result, err := b.cacheHits(ctx, c.Only)
	if err != nil {
		return err
	}
	return publish(std.out, c.Out, "bench-cache", c.report(result))
}

func (c cacheCommand) bench(ctx context.Context, std streams) (*bench, error) {
	b, err := newBench(ctx, program(c.Scopegate), cacheSessions, std.err)
	if err != nil {
		return nil, err
	}
	b.perCase, b.busy, b.pinned, b.limited = time.Duration(c.Seconds)*time.Second, 8, true, true
	b.engines = []engine{b.embedded()}
	return b, nil
}

// cacheHits compares everyone with a Gin handler that GETs the same bytes from
// Redis.
func (b *bench) cacheHits(ctx context.Context, only string) (_ table, err error) {
	var server *peer
	if err := onCore(loadCore, func() (err error) { server, err = startRedis(ctx); return err }); err != nil {
		return table{}, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	b.redis = server.address
	client := redis.NewClient(&redis.Options{Addr: b.redis})
	defer func() { err = errors.Join(err, client.Close()) }()
	source, err := b.uncached(ctx, b.engines[0])
	if err != nil {
		return table{}, err
	}
	defer func() { err = errors.Join(err, source.stop()) }()

	result := b.cacheTable()
	err = b.beside(ctx, client, b.caller(source), cacheCase, func(k stored) error {
		for _, s := range []struct {
			name    string
			measure func(context.Context, stored) ([]string, error)
		}{{"redis", b.hitInRedis}, {"memory", b.hitInMemory}, {"observed redis", b.observedInRedis}, {"observed memory", b.observedInMemory}, {"nginx", b.hitInNginx}, {"limits", b.hitWithLimits}} {
			if only != "" && only != s.name {
				continue
			}
			b.say("a hit: %s", s.name)
			row, err := s.measure(ctx, k)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			result.rows = append(result.rows, row)
		}
		return nil
	})
	return result, err
}

// cacheCase is an answer of about 8 KB.
var cacheCase = hitCase{"3 sessions and the count", 3, ""}

func (b *bench) cacheTable() table {
	return table{
		title: "A hit, beside Gin with one Redis GET",
		note: fmt.Sprintf("The same bytes, 8 KB, %d pages in turn. p50 / p99 of one request at a time; requests a second of %d at a time. Who is "+
			"measured has a core to itself; Redis and the load share the other. The gateway checks the token, resolves a scope of %s companies, "+
			"opens what is sealed, charges rate limits in Redis, traces and counts each request and writes its log. Gin, observed, does nothing but the latter: spans, metrics, log; nginx (`proxy_cache`, by URL and token) writes its log. "+
			"The last row is a hit in memory beside one of a gateway without rate limits, in place of Gin. "+
			"Targets: from Redis at least 0.85, from memory at least 1.20, with limits at least 0.80.", hitPool, b.busy, thousands(companyCount+1)),
		head: []string{"a hit in", "Gin", "hit", "p50 more", "Gin, 1/s", "hits, 1/s", "**ratio**"},
	}
}

func (b *bench) hitInRedis(ctx context.Context, k stored) ([]string, error) {
	return b.hitIn(ctx, k, "redis", k.largest+memoryRoom)
}

func (b *bench) hitInMemory(ctx context.Context, k stored) ([]string, error) {
	return b.hitIn(ctx, k, "memory", 2*hitPool*(k.largest+memoryRoom))
}

func (b *bench) hitIn(ctx context.Context, k stored, tier string, memory int) (_ []string, err error) {
	gateway, err := b.gateway(ctx, b.cachedSettings(memory)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	hits := newHits(b.caller(gateway), cacheCase, b.busy, tier)
	hits.cpu = gateway.cpu
	row, err := b.compare(ctx, "the gateway's "+tier, pair{subject: hits.load, baseline: k.gin, before: hits.warm})
	return row, errors.Join(err, hits.check())
}

// hitWithLimits compares a gateway with one whose rate limits are off.
func (b *bench) hitWithLimits(ctx context.Context, k stored) (_ []string, err error) {
	memory := b.cachedSettings(2 * hitPool * (k.largest + memoryRoom))
	with, err := b.gateway(ctx, memory...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, with.stop()) }()
	free := *b
	free.limited = false
	without, err := free.gateway(ctx, memory...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, without.stop()) }()
	limited, unlimited := newHits(b.caller(with), cacheCase, b.busy, "memory"), newHits(b.caller(without), cacheCase, b.busy, "memory")
	limited.cpu = with.cpu
	row, err := b.compare(ctx, "memory, limits on", pair{subject: limited.load, baseline: unlimited.load, before: func(ctx context.Context) error {
		return errors.Join(limited.warm(ctx), unlimited.warm(ctx))
	}})
	return row, errors.Join(err, limited.check())
}

// observedInMemory is a Gin handler that has the answers in memory and is observed.
func (b *bench) observedInMemory(ctx context.Context, k stored) ([]string, error) {
	return b.observed(ctx, k, "Gin's memory, observed")
}

// observedInRedis is what the hits are compared with, observed.
func (b *bench) observedInRedis(ctx context.Context, k stored) ([]string, error) {
	return b.observed(ctx, k, "Redis by Gin, observed", "--again")
}

func (b *bench) observed(ctx context.Context, k stored, name string, options ...string) (_ []string, err error) {
	observed, err := b.start(ctx, b.self, append([]string{"observed", "--redis", b.redis, "--prefix", k.prefix}, options...)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, observed.stop()) }()
	hits := load{address: observed.address(), requests: k.gin.requests, workers: 1, cpu: observed.cpu}
	if err := hits.once(ctx); err != nil { // each is in memory from then on
		return nil, err
	}
	return b.compare(ctx, name, pair{subject: hits, baseline: k.gin})
}

// hitInNginx has nginx cache what the Gin handler answers.
func (b *bench) hitInNginx(ctx context.Context, k stored) (_ []string, err error) {
	var nginx *peer
	if err := onCore(measuredCore, func() (err error) { nginx, err = startNginx(ctx, k.gin.address); return err }); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, nginx.stop()) }()
	hits := load{address: nginx.address, requests: k.gin.requests, workers: 1}
	if err := hits.once(ctx); err != nil { // each is cached from then on
		return nil, err
	}
	return b.compare(ctx, "nginx", pair{subject: hits, baseline: k.gin})
}

func (c cacheCommand) report(t table) []byte {
	return markdown(target("bench-cache", defaultSessions, c.Seconds), fmt.Sprintf("On %s; each side took %d turns, one after the other; the ratios are the medians of the turns'.",
		processor(), rounds), []table{t})
}
