package cache

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// BenchmarkRedisHit compares a search that Redis answers, memory being empty,
// with a bare GET of as many bytes as its rows have.
func BenchmarkRedisHit(b *testing.B) {
	scope := tenancytest.Scope(b, 1)
	sessions := search.Page{Rows: wideRows(10), More: true}
	pageOnly := query()
	pageOnly.WithoutCount = true
	b.Run("bare GET", func(b *testing.B) {
		r := newRedis(b, redisstore.Options{Budget: time.Second})
		var json []byte
		for _, row := range sessions.Rows {
			json = append(json, row.JSON...)
		}
		if err := r.Pool().Set(b.Context(), "scopegate:bench", json, time.Minute).Err(); err != nil {
			b.Fatal(err)
		}
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := r.Pool().Get(context.Background(), "scopegate:bench").Err(); err != nil {
					b.Error(err)
				}
			}
		})
	})
	for _, keys := range [][][]byte{nil, {sealingKey(1)}} {
		for name, q := range map[string]search.Query{"page": pageOnly, "page and count": query()} {
			b.Run(fmt.Sprintf("%s, %d keys", name, len(keys)), func(b *testing.B) {
				next := newEngine()
				next.holds(25, sessions)
				c := newCache(b, next, Options{
					Redis: newRedis(b, redisstore.Options{Budget: time.Second}), Keys: keys, Fresh: time.Hour, Namespace: namespace(b),
				})
				search := func(chat int) {
					own := q
					own.Filter.ChatID = strconv.Itoa(chat)
					if _, err := c.Search(context.Background(), scope, own); err != nil {
						b.Error(err)
					}
				}
				for chat := range runtime.GOMAXPROCS(0) {
					search(chat)
				}
				c.shared.drain()
				var searchers atomic.Int64
				b.RunParallel(func(pb *testing.PB) {
					chat := int(searchers.Add(1) - 1) // each another, or they would share their loads
					for pb.Next() {
						c.memory.entries.InvalidateAll()
						search(chat)
					}
				})
				b.StopTimer()
				if _, pages := next.searches(); pages != runtime.GOMAXPROCS(0) {
					b.Errorf("the engine was asked %d times", pages)
				}
			})
		}
	}
}

// wideRows are rows of the size of real sessions, a little over 2 KB.
func wideRows(n int) []search.Row {
	list := rows(n)
	for i := range list {
		var doc bytes.Buffer
		fmt.Fprintf(&doc, `{"id":"s%d"`, i)
		for field := 0; doc.Len() < 2200; field++ {
			fmt.Fprintf(&doc, `,"field%d":"%x"`, field, (i*7919+field*104729)%99991)
		}
		doc.WriteByte('}')
		list[i].JSON = doc.Bytes()
	}
	return list
}
