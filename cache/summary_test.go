package cache

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// summarizer is what is behind the cache.
type summarizer struct {
	*engine

	lock    sync.Mutex
	asked   int
	summary search.Summary
	err     error
	before  func() // may block
}

func (s *summarizer) Summarize(context.Context, tenancy.Scope, search.SummaryQuery) (search.Summary, error) {
	s.lock.Lock()
	s.asked++
	before := s.before
	s.lock.Unlock()
	if before != nil {
		before()
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.summary, s.err
}

func (s *summarizer) holds(count int64, err error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.summary.Count, s.err = count, err
}

func (s *summarizer) times() int {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.asked
}

// threeSessions is a summary with something in each part of it.
func threeSessions() search.Summary {
	companies, labels := search.TopCompanies(search.SummaryQuery{}), search.NewTopTexts(search.SummaryQuery{}, search.FacetStatuses)
	companies.Add(1, 3)
	labels.Add(`<"\u2028é`, 2)
	labels.AddMissing(1)
	builder := search.NewHistogramBuilder(search.SummaryQuery{Zone: search.Zone{Minutes: -60}})
	_ = builder.SetRange(-3_600_000, 1_700_000_000_000) // auto: at most some years
	builder.Add(0, 2)
	builder.AddMissing(1)
	axis := labels.Axis()
	return search.Summary{Count: 3, Histogram: builder.Histogram(), Companies: companies.Axis(), MessengerTypes: axis, OperatorTypes: axis, Statuses: axis}
}

func newSummarizer() *summarizer { return &summarizer{engine: newEngine(), summary: threeSessions()} }

// mustSummarize fails the test on an error, and tells who answered.
func mustSummarize(t *testing.T, c *Cache, scope tenancy.Scope, q search.SummaryQuery) (search.Summary, string) {
	t.Helper()
	s, err := c.Summarize(t.Context(), scope, q)
	if err != nil {
		t.Errorf("Summarize: %v", err)
	}
	switch {
	case s.Provenance.Hit():
		return s, s.Provenance.Tier
	case s.Provenance.Shared:
		return s, "shared"
	}
	return s, "engine"
}

func TestASummaryIsStoredForItsScopeAndQuery(t *testing.T) {
	mine, others := tenancytest.Scope(t, 1, 2), tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := newSummarizer()
		c := newCache(t, next, Options{Summarizer: next})
		first, _ := mustSummarize(t, c, mine, search.SummaryQuery{})
		second, who := mustSummarize(t, c, mine, search.SummaryQuery{Interval: search.IntervalAuto})
		first.Provenance, second.Provenance = search.Provenance{}, search.Provenance{}
		if diff := cmp.Diff(first, second); diff != "" || who != tierMemory {
			t.Errorf("asked again, %s answered (-first +second):\n%s", who, diff)
		}
		for name, ask := range map[string]struct {
			scope tenancy.Scope
			query search.SummaryQuery
		}{
			"another scope":     {others, search.SummaryQuery{}},
			"another interval":  {mine, search.SummaryQuery{Interval: search.IntervalDay}},
			"another time zone": {mine, search.SummaryQuery{Zone: search.Zone{Minutes: 60}}},
			"another filter":    {mine, search.SummaryQuery{Filter: search.Filter{OperatorTypes: []string{session.OperatorBot}}}},
		} {
			if _, who := mustSummarize(t, c, ask.scope, ask.query); who != "engine" {
				t.Errorf("%s: answered by %s", name, who)
			}
		}
		time.Sleep(testFresh)
		if _, who := mustSummarize(t, c, mine, search.SummaryQuery{}); who != "engine" {
			t.Errorf("past its time: answered by %s", who)
		}
		if counts, pages := next.searches(); counts+pages != 0 {
			t.Errorf("%d counts and %d pages were asked for", counts, pages)
		}
	})
}

func TestCallersOfOneSummaryShareItsLoad(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next, open := newSummarizer(), make(chan struct{})
		next.before = func() { <-open }
		c := newCache(t, next, Options{Summarizer: next})
		var who [5]string
		var callers sync.WaitGroup
		for i := range who {
			callers.Go(func() { _, who[i] = mustSummarize(t, c, scope, search.SummaryQuery{}) })
		}
		synctest.Wait()
		close(open)
		callers.Wait()
		slices.Sort(who[:])
		if diff := cmp.Diff([5]string{"engine", "shared", "shared", "shared", "shared"}, who); diff != "" || next.times() != 1 {
			t.Errorf("%d loads: %s", next.times(), diff)
		}
	})
}

func TestAnInvalidatedSummaryIsLoadedAnewAndOthersStayHits(t *testing.T) {
	mine, others := tenancytest.Scope(t, 1, 2), tenancytest.Scope(t, 3)
	synctest.Test(t, func(t *testing.T) {
		next := newSummarizer()
		c, log := followedCache(t, next, Options{Summarizer: next})
		mustSummarize(t, c, mine, search.SummaryQuery{})
		mustSummarize(t, c, others, search.SummaryQuery{})
		next.holds(4, nil)
		log.publish(2)
		synctest.Wait()
		if s, who := mustSummarize(t, c, mine, search.SummaryQuery{}); who != "engine" || s.Count != 4 {
			t.Errorf("the changed scope: %d by %s", s.Count, who)
		}
		if s, who := mustSummarize(t, c, others, search.SummaryQuery{}); who != tierMemory || s.Count != 3 {
			t.Errorf("the other: %d by %s", s.Count, who)
		}
	})
}

func TestACurrentSummaryIsServedWhileItIsRenewedAndWhileTheEngineIsDown(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	synctest.Test(t, func(t *testing.T) {
		next := newSummarizer()
		c, _ := followedCache(t, next, Options{Summarizer: next})
		synctest.Wait()
		mustSummarize(t, c, scope, search.SummaryQuery{})
		time.Sleep(testFresh)
		next.holds(4, nil)
		if s, who := mustSummarize(t, c, scope, search.SummaryQuery{}); who != tierMemory || s.Count != 3 {
			t.Errorf("past its time: %d by %s", s.Count, who)
		}
		synctest.Wait()
		if s, who := mustSummarize(t, c, scope, search.SummaryQuery{}); who != tierMemory || s.Count != 4 {
			t.Errorf("renewed: %d by %s", s.Count, who)
		}
		next.holds(0, search.ErrUnavailable)
		time.Sleep(testStale)
		if s, who := mustSummarize(t, c, scope, search.SummaryQuery{}); who != tierMemory || s.Count != 4 || !s.Provenance.Outage {
			t.Errorf("the engine is down: %d by %s, outage %t", s.Count, who, s.Provenance.Outage)
		}
	})
}

func TestAFailedSummaryIsNotStored(t *testing.T) {
	next := newSummarizer()
	next.err = search.ErrTooManyBuckets
	c := newCache(t, next, Options{Summarizer: next})
	for range 2 {
		if _, err := c.Summarize(t.Context(), tenancytest.Scope(t, 1), search.SummaryQuery{}); !errors.Is(err, search.ErrTooManyBuckets) {
			t.Errorf("got %v", err)
		}
	}
	if next.times() != 2 {
		t.Errorf("asked %d times", next.times())
	}
}

func TestACacheInFrontOfNoSummarizerHasNoSummaries(t *testing.T) {
	c := newCache(t, newEngine(), Options{})
	if _, err := c.Summarize(t.Context(), tenancytest.Scope(t, 1), search.SummaryQuery{}); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestASecondGatewayHitsTheSummaryThatTheFirstStored(t *testing.T) {
	scope := tenancytest.Scope(t, 1)
	next := newSummarizer()
	o := Options{
		Redis: newRedis(t, redisstore.Options{}), Namespace: namespace(t), Keys: [][]byte{sealingKey(1)}, Fresh: time.Minute,
		Summarizer: next,
	}
	c, err := New(next, testOptions(o))
	if err != nil {
		t.Fatal(err)
	}
	first, _ := mustSummarize(t, c, scope, search.SummaryQuery{})
	c.Close()
	second, who := mustSummarize(t, newCache(t, next, o), scope, search.SummaryQuery{})
	first.Provenance, second.Provenance = search.Provenance{}, search.Provenance{}
	if diff := cmp.Diff(first, second); diff != "" || who != tierRedis || next.times() != 1 {
		t.Errorf("%s answered (-first +second):\n%s", who, diff)
	}
}

// drawSummary draws one with as many parts as there may be, whatever they add up
// to.
func drawSummary() *rapid.Generator[*search.Summary] {
	return rapid.Custom(func(t *rapid.T) *search.Summary {
		number := rapid.Int64()
		var s search.Summary
		s.Count, s.Histogram.WithoutDate = number.Draw(t, "count"), number.Draw(t, "dateless")
		s.Histogram.Interval = rapid.SampledFrom(search.Intervals()).Draw(t, "interval")
		for range rapid.IntRange(0, 100).Draw(t, "buckets") {
			s.Histogram.Buckets = append(s.Histogram.Buckets, search.Bucket{From: number.Draw(t, "from"), To: number.Draw(t, "to"), Count: number.Draw(t, "in it")})
		}
		for range rapid.IntRange(0, search.MaxTop).Draw(t, "companies") {
			s.Companies.Top = append(s.Companies.Top, search.Share[tenancy.CompanyID]{Value: tenancy.CompanyID(rapid.Uint32().Draw(t, "company")), Count: number.Draw(t, "of it")})
		}
		for _, axis := range []*search.Axis[search.Label]{&s.MessengerTypes, &s.OperatorTypes, &s.Statuses} {
			axis.Rest = search.Rest{Values: number.Draw(t, "others"), Count: number.Draw(t, "of others")}
			for range rapid.IntRange(0, search.MaxTop).Draw(t, "labels") {
				label := search.Label{Text: rapid.String().Draw(t, "text"), None: rapid.Bool().Draw(t, "none")}
				axis.Top = append(axis.Top, search.Share[search.Label]{Value: label, Count: number.Draw(t, "of label")})
			}
		}
		return &s
	})
}
