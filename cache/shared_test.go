package cache

import (
	"bytes"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// stored searches through a cache of its own on Redis, and waits until what it
// found is there.
func stored(t *testing.T, o Options, q search.Query) search.Result {
	t.Helper()
	c, err := New(newEngine(), testOptions(o))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return mustSearch(t, c, tenancytest.Scope(t, 1), q)
}

func TestASecondGatewayHitsWhatTheFirstStored(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	for name, keys := range map[string][][]byte{"in clear": nil, "sealed": {sealingKey(1)}} {
		t.Run(name, func(t *testing.T) {
			o := Options{Redis: newRedis(t, redisstore.Options{}), Namespace: namespace(t), Keys: keys, Fresh: time.Minute}
			first := stored(t, o, query())
			next := newEngine()
			c := newCache(t, next, o)
			second := mustSearch(t, c, scope, query())
			if got := outcomes(second); got != "redis redis" {
				t.Fatalf("the second gateway: %s", got)
			}
			if diff := cmp.Diff(first.Page.Rows, second.Page.Rows); diff != "" || !second.Page.More || second.Count.Total != 25 {
				t.Errorf("it answered otherwise than the first: %s", diff)
			}
			s := second.Page.Provenance
			// By the wall clock: what Redis holds has no reading of the monotonic one.
			if !s.LoadedAt.Round(0).Equal(first.Page.Provenance.LoadedAt.Round(0)) || s.TTL > first.Page.Provenance.TTL || s.Stored {
				t.Errorf("it is %+v, and was %+v", s, first.Page.Provenance)
			}
			if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
				t.Errorf("the second gateway again: %s", got)
			}
			next.wantSearches(t, 0, 0)
		})
	}
}

func TestAHitInRedisIsStoredForTheFreshnessLeft(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	o := Options{Redis: newRedis(t, redisstore.Options{}), Namespace: namespace(t), Fresh: time.Minute}
	start := time.Now()
	o.now = func() time.Time { return start }
	stored(t, o, query())

	var now atomic.Pointer[time.Time]
	at := func(age time.Duration) { moment := start.Add(age); now.Store(&moment) }
	o.now = func() time.Time { return *now.Load() }
	at(40 * time.Second)
	c := newCache(t, newEngine(), o)
	if r := mustSearch(t, c, scope, query()); outcomes(r) != "redis redis" || r.Page.Provenance.TTL != 20*time.Second {
		t.Errorf("after 40 s: %s, %v left", outcomes(r), r.Page.Provenance.TTL)
	}
	at(time.Minute - 1)
	if got := outcomes(mustSearch(t, c, scope, query())); got != "memory memory" {
		t.Errorf("just fresh: %s", got)
	}
	at(time.Minute)
	if got := outcomes(mustSearch(t, c, scope, query())); got != "engine engine" {
		t.Errorf("just stale: %s", got)
	}
}

func TestRedisForgetsAValueWhenItsFreshnessEnds(t *testing.T) {
	r := newRedis(t, redisstore.Options{})
	start := time.Now()
	c := newCache(t, newEngine(), Options{
		Redis: r, Namespace: namespace(t), Fresh: time.Minute,
		now: func() time.Time { return start },
	})
	k := countKey(c, tenancytest.Scope(t, 1), query())
	c.shared.put(t.Context(), &entry[count]{meta: meta{key: k, loadedAt: start.Add(-20 * time.Second)}, value: 1})
	c.shared.drain()
	left, err := r.Pool().PTTL(t.Context(), c.shared.ring.names(k)[0]).Result()
	if err != nil || left <= 0 || left > 40*time.Second {
		t.Errorf("it is kept for %v, %v; 40 s of its minute were left", left, err)
	}
}

func TestWhatMustNotBeSharedInRedisIsNot(t *testing.T) {
	r, space := newRedis(t, redisstore.Options{}), namespace(t)
	base := Options{Redis: r, Namespace: space, Fresh: time.Minute, Keys: [][]byte{sealingKey(1)}}
	stored(t, base, query())
	change := func(apply func(*Options)) Options { o := base; apply(&o); return o }
	for name, tt := range map[string]struct {
		options   Options
		companies int
		want      string
	}{
		"the same":          {base, 1, "redis redis"},
		"another scope":     {base, 2, "engine engine"},
		"another namespace": {change(func(o *Options) { o.Namespace += "2" }), 1, "engine engine"},
		"another key":       {change(func(o *Options) { o.Keys = [][]byte{sealingKey(2)} }), 1, "engine engine"},
		"no key":            {change(func(o *Options) { o.Keys = nil }), 1, "engine engine"},
		"a newer key first": {change(func(o *Options) { o.Keys = [][]byte{sealingKey(2), sealingKey(1)} }), 1, "redis redis"},
	} {
		t.Run(name, func(t *testing.T) {
			scope := tenancytest.Scope(t, 1)
			if tt.companies == 2 {
				scope = tenancytest.Scope(t, 1, 2)
			}
			if got := outcomes(mustSearch(t, newCache(t, newEngine(), tt.options), scope, query())); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestRevalidationRenewsWhatIsInRedis(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	o := Options{Redis: newRedis(t, redisstore.Options{}), Namespace: namespace(t), Fresh: time.Minute}
	stored(t, o, query())
	next := newEngine()
	next.holds(26, full())
	c := newCache(t, next, o)
	r, err := c.Search(WithMaxAge(t.Context(), 0), scope, query())
	if err != nil || outcomes(r) != "engine engine" {
		t.Errorf("revalidated: %s, %v", outcomes(r), err)
	}
	c.shared.drain()
	if r := mustSearch(t, newCache(t, newEngine(), o), scope, query()); outcomes(r) != "redis redis" || r.Count.Total != 26 {
		t.Errorf("another gateway after it: %s, total %d", outcomes(r), r.Count.Total)
	}
}

func TestNothingIsInClearInRedis(t *testing.T) {
	const planted = "plantedname"
	keyword, err := keyword.Parse(planted)
	if err != nil {
		t.Fatal(err)
	}
	q := query()
	q.Filter.Keyword = keyword
	r := newRedis(t, redisstore.Options{})
	next := newEngine()
	next.holds(25, search.Page{More: true, Rows: []search.Row{{CompanyID: 1, JSON: []byte(`{"name":"` + planted + `"}`)}}})
	c := newCache(t, next, Options{Redis: r, Namespace: namespace(t), Keys: [][]byte{sealingKey(1)}, Fresh: time.Minute})
	scope := tenancytest.Scope(t, 1)
	mustSearch(t, c, scope, q)
	c.shared.drain()
	name := c.shared.ring.names(pageKey(c, scope, q))[0]
	value, err := r.Pool().Get(t.Context(), name).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(value, []byte(planted)) || strings.Contains(name, planted) {
		t.Error("the name is in Redis in clear")
	}
}

func TestAValueThatIsNotAsItWasStoredIsAMiss(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	flip := func(at int) func([]byte, []byte) []byte {
		return func(value, _ []byte) []byte {
			changed := slices.Clone(value)
			changed[(at+len(changed))%len(changed)] ^= 1
			return changed
		}
	}
	sealed, plain := [][]byte{sealingKey(1)}, [][]byte(nil)
	for name, tt := range map[string]struct {
		keys   [][]byte
		change func(value, other []byte) []byte
		reason string
	}{
		"empty":                             {sealed, func(_, _ []byte) []byte { return []byte{} }, "version"},
		"cut to its header":                 {sealed, func(v, _ []byte) []byte { return v[:headerBytes] }, "damaged"},
		"cut by an octet":                   {sealed, func(v, _ []byte) []byte { return v[:len(v)-1] }, "damaged"},
		"an octet more":                     {sealed, func(v, _ []byte) []byte { return append(v, 0) }, "damaged"},
		"a flipped bit in the nonce":        {sealed, flip(headerBytes + keyIDBytes), "damaged"},
		"a flipped bit in the box":          {sealed, flip(-30), "damaged"},
		"a flipped bit in the tag":          {sealed, flip(-1), "damaged"},
		"another version":                   {sealed, flip(0), "version"},
		"an older version":                  {sealed, func(v, _ []byte) []byte { v[0] = valueVersion - 1; return v }, "version"},
		"another key's id":                  {sealed, flip(headerBytes), "version"},
		"said to be compressed or not":      {sealed, func(v, _ []byte) []byte { v[1] = kindSealed + kindCompressed - v[1]; return v }, "damaged"},
		"the value of another search":       {sealed, func(_, other []byte) []byte { return other }, "damaged"},
		"in clear where it should be":       {sealed, func(_, _ []byte) []byte { return (&keyring{}).seal(key{}, []byte("x")) }, "version"},
		"plain, cut by an octet":            {plain, func(v, _ []byte) []byte { return v[:len(v)-1] }, "damaged"},
		"plain, cut to its header":          {plain, func(v, _ []byte) []byte { return v[:headerBytes] }, "damaged"},
		"plain, a flipped bit":              {plain, flip(-1), "damaged"},
		"plain, of another search":          {plain, func(_, other []byte) []byte { return other }, "foreign"},
		"plain, another version":            {plain, flip(0), "version"},
		"plain, no entry but a good digest": {plain, func(_, _ []byte) []byte { return (&keyring{}).seal(key{}, []byte("x")) }, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			reader := sdkmetric.NewManualReader()
			r := newRedis(t, redisstore.Options{})
			o := Options{Redis: r, Namespace: namespace(t), Keys: tt.keys, Fresh: time.Minute}
			q, other := query(), queryAt(10)
			q.WithoutCount, other.WithoutCount = true, true
			stored(t, o, q)
			stored(t, o, other)
			o.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
			c := newCache(t, newEngine(), o)
			nameOf := func(q search.Query) string { return c.shared.ring.names(pageKey(c, scope, q))[0] }
			valueOf := func(name string) []byte {
				value, err := r.Pool().Get(t.Context(), name).Bytes()
				if err != nil {
					t.Fatal(err)
				}
				return bytes.Clone(value)
			}
			changed := tt.change(valueOf(nameOf(q)), valueOf(nameOf(other)))
			if err := r.Pool().Set(t.Context(), nameOf(q), changed, time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
			if got := outcomes(mustSearch(t, c, scope, q)); got != "engine engine" {
				t.Errorf("the search: %s", got)
			}
			refused := collect(t, reader)["scopegate.cache.redis.refused"].(metricdata.Sum[int64]).DataPoints
			if len(refused) != 1 || refused[0].Value != 1 || label(refused[0].Attributes, "reason") != tt.reason {
				t.Errorf("counted as refused: %+v, want one that is %s", refused, tt.reason)
			}
			c.shared.drain()
			c.memory.entries.InvalidateAll()
			if got := outcomes(mustSearch(t, c, scope, q)); got != "engine redis" {
				t.Errorf("it was not replaced: %s", got)
			}
		})
	}
}
