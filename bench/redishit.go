package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// hitPool is how many different pages take turns: memory has room for one.
	hitPool = 256
	// warmFor is after how long what is kept is loaded anew: before the minute
	// is over for which it may be served.
	warmFor = 40 * time.Second
	// memoryRoom is what the in-process tier gets beside one page: it must be
	// large enough to take each page, or Redis would not get it either.
	memoryRoom = 4 << 10
	// fromTier is the share of the answers whose page must be a hit in the tier
	// that is measured for the comparison to mean something.
	fromTier = 0.95
	// baselineLife bounds the life of the values that the Gin handler reads.
	baselineLife = time.Hour
)

// hitCase is a sort of answer that is kept in Redis.
type hitCase struct {
	name       string
	limit      int
	parameters string
}

func hitCases() []hitCase {
	return []hitCase{
		{"3 sessions and the count", 3, ""},
		{"10 sessions and the count", 10, ""},
		{"3 sessions", 3, "&withoutCount=true"},
	}
}

// paths are those of hitPool pages, one behind the other.
func (h hitCase) paths() []string {
	paths := make([]string, hitPool)
	for i := range paths {
		paths[i] = fmt.Sprintf("%s?showAllSupervised=true&limit=%d&offset=%d%s", listPath, h.limit, i*h.limit, h.parameters)
	}
	return paths
}

// redisHits compares answers that the gateway finds in Redis with the same bytes
// sent by a Gin handler that reads them from there.
func (b *bench) redisHits(ctx context.Context, uncached caller) (_ table, err error) {
	result := table{
		title: "A hit in Redis ÷ Gin and one Redis GET of the same bytes",
		note: fmt.Sprintf("%d pages in turn, of which the tier in process, made as small as it goes, holds one; the gateway checks the token, resolves a scope of "+
			"%s companies and opens what is sealed. p50 / p99 of one request at a time; requests a second of %d at a time, the load on the same "+
			"cores. Target: throughput ratio at least 0.60.", hitPool, thousands(companyCount+1), b.busy),
		head: []string{"answer", "Gin", "gateway", "p50 more", "Gin, 1/s", "gateway, 1/s", "**ratio**"},
	}
	client := redis.NewClient(&redis.Options{Addr: b.redis})
	defer func() { err = errors.Join(err, client.Close()) }()
	for _, h := range hitCases() {
		b.say("gateway and Gin: %s", h.name)
		row, err := b.redisHit(ctx, client, uncached, h)
		if err != nil {
			return table{}, err
		}
		result.rows = append(result.rows, row)
	}
	return result, nil
}

func (b *bench) redisHit(ctx context.Context, client *redis.Client, uncached caller, h hitCase) (row []string, err error) {
	err = b.beside(ctx, client, uncached, h, func(k stored) error {
		gateway, err := b.gateway(ctx, b.cachedSettings(k.largest+memoryRoom)...)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, gateway.stop()) }()
		hits := newHits(b.caller(gateway), h, b.busy, "redis")
		hits.cpu = gateway.cpu
		name := fmt.Sprintf("%s, %d KB", h.name, (k.largest+512)>>10)
		row, err = b.compare(ctx, name, pair{subject: hits.load, baseline: k.gin, before: hits.warm})
		return errors.Join(err, hits.check())
	})
	return row, err
}

// stored is a load on a Gin handler that finds the answers of a case in Redis.
type stored struct {
	largest int    // bytes of an answer
	prefix  string // of their names in Redis
	gin     load
}

// beside runs f while a Gin handler serves what the case's answers are.
func (b *bench) beside(ctx context.Context, client *redis.Client, uncached caller, h hitCase, f func(stored) error) (err error) {
	prefix := "scopegate-bench:" + rand.Text() + ":"
	largest, err := store(ctx, client, uncached, h, prefix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop(context.WithoutCancel(ctx), client, prefix)) }()
	gin, err := b.start(ctx, b.self, "gin", "--redis", b.redis, "--prefix", prefix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gin.stop()) }()
	k := stored{largest: largest, prefix: prefix, gin: load{address: gin.address(), cpu: gin.cpu}}
	header := caller{token: b.token}.header()
	for i := range hitPool {
		k.gin.requests = append(k.gin.requests, newRequest(http.MethodGet, gin.address(), "/"+strconv.Itoa(i), header, nil))
	}
	return f(k)
}

// cachedSettings are those of a gateway whose memory holds so many bytes.
func (b *bench) cachedSettings(memory int) []string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: see crypto/rand
	return append(b.engines[0].settings[:len(b.engines[0].settings):len(b.engines[0].settings)],
		fmt.Sprintf("redis.addresses=[%q]", b.redis),
		fmt.Sprintf("cache.keys=[%q]", base64.StdEncoding.EncodeToString(key)),
		"cache.namespace=bench-"+rand.Text(), "cache.fresh=1m",
		fmt.Sprintf("cache.max_size=%d", memory),
	)
}

// store stores the gateway's answers in Redis as they are and returns the size of
// the largest.
func store(ctx context.Context, client *redis.Client, from caller, h hitCase, prefix string) (largest int, err error) {
	var requests []request
	for _, path := range h.paths() {
		requests = append(requests, newRequest(http.MethodGet, from.address, path, from.header(), nil))
	}
	bodies, err := answers(ctx, from.address, requests)
	for i, body := range bodies {
		largest = max(largest, len(body))
		err = errors.Join(err, client.Set(ctx, prefix+strconv.Itoa(i), body, baselineLife).Err())
	}
	return largest, err
}

func drop(ctx context.Context, client *redis.Client, prefix string) error {
	names := make([]string, hitPool)
	for i := range names {
		names[i] = prefix + strconv.Itoa(i)
	}
	return client.Del(ctx, names...).Err()
}

// hits is a load on a gateway that answers from its cache.
type hits struct {
	load
	fill   load // has the gateway load every page anew
	warmed time.Time
	tier   string // that is to answer: "redis" or "memory"
	all    atomic.Int64
	right  atomic.Int64 // from that tier
}

func newHits(gateway caller, h hitCase, workers int, tier string) *hits {
	l := &hits{tier: tier, load: load{address: gateway.address, workers: workers}, fill: load{address: gateway.address, workers: workers}}
	anew := gateway.header()
	anew.Set("Cache-Control", "no-cache")
	for _, path := range h.paths() {
		l.requests = append(l.requests, newRequest(http.MethodGet, gateway.address, path, gateway.header(), nil))
		l.fill.requests = append(l.fill.requests, newRequest(http.MethodGet, gateway.address, path, anew, nil))
	}
	l.looked = l.look
	return l
}

// warm has the gateway load every page anew, unless it did a moment ago.
func (l *hits) warm(ctx context.Context) error {
	if time.Since(l.warmed) < warmFor {
		return nil
	}
	l.warmed = time.Now()
	return l.fill.once(ctx)
}

// look counts the pages that came from the tier.
func (l *hits) look(h http.Header) {
	l.all.Add(1)
	if l.from(h) {
		l.right.Add(1)
	}
}

// from reports whether the page came from the tier.
func (l *hits) from(h http.Header) bool {
	_, page, _ := strings.Cut(h.Get("Cache-Status"), "scopegate-page;")
	return strings.Contains(page, "detail="+l.tier)
}

var errOtherTier = errors.New("too few answers came from where they were to come from")

func (l *hits) check() error {
	if float64(l.right.Load()) < fromTier*float64(l.all.Load()) {
		return fmt.Errorf("%w: %d of %d from %s", errOtherTier, l.right.Load(), l.all.Load(), l.tier)
	}
	return nil
}
