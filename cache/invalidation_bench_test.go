package cache

import (
	"context"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/invalidation/redislog"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// Shape of BenchmarkHitsWhileOthersAreInvalidated: so many windows, every other one
// with events. They alternate, since a machine is not as fast at all times.
const (
	benchWindows = 40
	benchWindow  = 200 * time.Millisecond
)

// BenchmarkHitsWhileOthersAreInvalidated compares hits of a scope of 1,000 companies
// while nothing changes with those while 1,000 other companies are invalidated
// each second: the ratio of their medians, and of the processor's time that the
// process took for each, that of the publisher included.
func BenchmarkHitsWhileOthersAreInvalidated(b *testing.B) {
	scope := tenancytest.Scope(b, companiesFrom(1, 1000)...)
	b.Run("in memory, one company at a time", func(b *testing.B) {
		log := newFakeLog()
		hitsWhile(b, scope, log, time.Millisecond, func(round int) { log.publish(companiesFrom(5000+round%50_000, 1)...) })
	})
	b.Run("in Redis, 100 companies at a time", func(b *testing.B) {
		log := must(redislog.New(newRedis(b, redisstore.Options{}), namespace(b), [][]byte{sealingKey(1)}))
		hitsWhile(b, scope, log, 100*time.Millisecond, func(round int) {
			if err := log.Append(context.Background(), companiesFrom(5000+100*round%50_000, 100)); err != nil {
				b.Error(err)
			}
		})
	})
}

func companiesFrom(first, n int) []tenancy.CompanyID {
	list := make([]tenancy.CompanyID, n)
	for i := range list {
		list[i] = tenancy.CompanyID(first + i)
	}
	return list
}

// hitsWhile publishes at intervals, in every other window.
func hitsWhile(b *testing.B, scope tenancy.Scope, log invalidation.Log, every time.Duration, publish func(round int)) {
	b.Helper()
	c := newCache(b, newEngine(), Options{Log: log, Fresh: time.Hour})
	hit := func() {
		if r, err := c.Search(context.Background(), scope, query()); err != nil || !r.Page.Provenance.Hit() {
			b.Fatal("no hit", err)
		}
	}
	if _, err := c.Search(context.Background(), scope, query()); err != nil {
		b.Fatal(err)
	}
	var publishing, stop atomic.Bool
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for round := 0; !stop.Load(); round++ {
			if publishing.Load() {
				publish(round)
			}
			time.Sleep(every)
		}
	}()
	var took, worked [2][]float64
	for window := range benchWindows {
		publishing.Store(window%2 == 1)
		hits, began, before := 0, time.Now(), worktime()
		for time.Since(began) < benchWindow {
			for range 100 {
				hit()
			}
			hits += 100
		}
		worked[window%2] = append(worked[window%2], float64(worktime()-before)/float64(hits))
		took[window%2] = append(took[window%2], float64(time.Since(began).Nanoseconds())/float64(hits))
	}
	stop.Store(true)
	<-stopped
	median := func(list []float64) float64 { slices.Sort(list); return list[len(list)/2] }
	b.ReportMetric(median(took[0]), "ns/hit")
	b.ReportMetric(median(took[1])/median(took[0]), "ratio")
	b.ReportMetric(median(worked[1])/median(worked[0]), "work-ratio")
	b.ReportMetric(0, "ns/op")
}

// worktime is the processor's time that this process has taken, in nanoseconds.
func worktime() int64 {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // fails for no other argument
	return used.Utime.Nano() + used.Stime.Nano()
}
