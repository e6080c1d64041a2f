package cache

import (
	"context"
	"testing"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// BenchmarkHit measures what memory answers: a page of ten rows with its count,
// each of them alone, and a summary.
func BenchmarkHit(b *testing.B) {
	scope := tenancytest.Scope(b, companiesFrom(1, 1000)...)
	page, count := query(), query()
	page.WithoutCount, count.WithoutItems = true, true
	next := newSummarizer()
	c := newCache(b, next, Options{Log: newFakeLog(), Fresh: time.Hour, Summarizer: next})
	for _, shape := range []struct {
		name string
		hit  func() (search.Provenance, error)
	}{
		{"page and count", func() (search.Provenance, error) {
			r, err := c.Search(context.Background(), scope, query())
			return r.Page.Provenance, err
		}},
		{"page", func() (search.Provenance, error) {
			r, err := c.Search(context.Background(), scope, page)
			return r.Page.Provenance, err
		}},
		{"count", func() (search.Provenance, error) {
			r, err := c.Search(context.Background(), scope, count)
			return r.Count.Provenance, err
		}},
		{"summary", func() (search.Provenance, error) {
			s, err := c.Summarize(context.Background(), scope, search.SummaryQuery{})
			return s.Provenance, err
		}},
	} {
		b.Run(shape.name, func(b *testing.B) {
			if _, err := shape.hit(); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if served, err := shape.hit(); err != nil || !served.Hit() {
					b.Fatal("no hit", err)
				}
			}
		})
	}
}
