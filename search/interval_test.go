package search_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

func millis(t *testing.T, date string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, date)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

func TestTheSpanDecidesTheInterval(t *testing.T) {
	const first = "2024-01-01T00:00:00Z" // a Monday
	for _, tt := range []struct {
		asked    search.Interval
		last     string
		timezone int
		want     search.Interval
		buckets  int
		tooMany  bool
	}{
		{"", first, 0, search.IntervalHour, 1, false},
		{"auto", "2024-01-05T03:59:59Z", 0, search.IntervalHour, 100, false},
		{"auto", "2024-01-05T04:00:00Z", 0, search.IntervalDay, 5, false},
		{"auto", "2024-04-09T23:59:59Z", 0, search.IntervalDay, 100, false},
		{"auto", "2024-04-10T00:00:00Z", 0, search.IntervalWeek, 15, false},
		{"auto", "2025-11-30T23:59:59Z", 0, search.IntervalWeek, 100, false},
		{"auto", "2025-12-01T00:00:00Z", 0, search.IntervalMonth, 24, false},
		{"auto", "2032-04-30T23:59:59Z", 0, search.IntervalMonth, 100, false},
		{"auto", "2032-05-01T00:00:00Z", 0, search.IntervalYear, 9, false},
		{"auto", "9999-12-31T23:59:59Z", 0, search.IntervalYear, 7976, false},
		{"auto", "2032-04-30T23:59:59Z", 1, search.IntervalYear, 9, false}, // in this zone May began a minute earlier
		{"hour", "2025-02-20T15:59:59Z", 0, search.IntervalHour, 10_000, false},
		{"hour", "2025-02-20T16:00:00Z", 0, search.IntervalHour, 0, true},
		{"week", first, 0, search.IntervalWeek, 1, false},
		{"week", "2024-01-07T23:59:00Z", 0, search.IntervalWeek, 1, false},
		{"week", "2024-01-07T23:59:00Z", 1, search.IntervalWeek, 2, false},
	} {
		builder := search.NewHistogramBuilder(search.SummaryQuery{Interval: tt.asked, Zone: search.Zone{Minutes: tt.timezone}})
		err := builder.SetRange(millis(t, first), millis(t, tt.last))
		got := builder.Histogram()
		if errors.Is(err, search.ErrTooManyBuckets) != tt.tooMany || got.Interval != tt.want || len(got.Buckets) != tt.buckets {
			t.Errorf("%q to %s at %d: %d of %s, %v; want %d of %s", tt.asked, tt.last, tt.timezone, len(got.Buckets), got.Interval, err, tt.buckets, tt.want)
		}
	}
}

func TestBucketsStayWithinTheDatesThereAre(t *testing.T) {
	builder := search.NewHistogramBuilder(search.SummaryQuery{Interval: search.IntervalYear, Zone: search.Zone{Minutes: -60}})
	first, last := millis(t, "0001-01-01T00:00:00Z"), millis(t, "9999-12-31T23:59:59.999Z")
	if err := builder.SetRange(first, last); err != nil {
		t.Fatal(err)
	}
	buckets := builder.Histogram().Buckets
	if buckets[0].From != first || buckets[len(buckets)-1].To != last || !builder.Add(first, 1) || !builder.Add(last, 1) {
		t.Errorf("from %+v to %+v", buckets[0], buckets[len(buckets)-1])
	}
}

// Buckets leave no gap and contain their own moments. They begin where the clock of
// the zone shows the start of a unit, or at a change of the clock.
func TestEveryMomentIsInOneBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		moments := rapid.Int64Range(-62_000_000_000_000, 253_000_000_000_000)
		first := moments.Draw(t, "first")
		last := first + rapid.Int64Range(0, 300_000_000_000).Draw(t, "span")
		zone := search.Zone{Minutes: rapid.IntRange(-840, 840).Draw(t, "timezone")}
		if rapid.Bool().Draw(t, "named") {
			zone = search.Zone{Name: rapid.SampledFrom(zoneNames()).Draw(t, "zone")}
			first = rapid.Int64Range(-3_000_000_000_000, 4_000_000_000_000).Draw(t, "first in a zone")
			last = first + last%40_000_000_000
		}
		last = max(first, last)
		interval := rapid.SampledFrom(search.Intervals()).Draw(t, "interval")
		builder := search.NewHistogramBuilder(search.SummaryQuery{Interval: interval, Zone: zone})
		if err := builder.SetRange(first, last); errors.Is(err, search.ErrTooManyBuckets) {
			return
		}
		at := rapid.Int64Range(first, last).Draw(t, "moment")
		if !builder.Add(at, 1) {
			t.Fatal("not in the builder")
		}
		buckets := builder.Histogram().Buckets
		for i, b := range buckets {
			if i > 0 && b.From != buckets[i-1].To+1 {
				t.Fatalf("a gap before bucket %d", i)
			}
			if want := b.From <= at && at <= b.To; want != (b.Count == 1) {
				t.Fatalf("%+v counts %d", b, at)
			}
			begin := time.UnixMilli(b.From).In(zone.Location())
			changed, _ := begin.ZoneBounds()
			whole := begin.Minute() == 0 && begin.Second() == 0 && (builder.Histogram().Interval == search.IntervalHour || begin.Hour() == 0)
			if !whole && !changed.Equal(begin) {
				t.Fatalf("a bucket begins at %s", begin)
			}
		}
		if buckets[0].From > first || buckets[0].To < first || buckets[len(buckets)-1].To < last || buckets[len(buckets)-1].From > last {
			t.Fatal("wider or narrower than the span")
		}
	})
}

// zoneNames are zones with unusual changes: by 30 minutes, at midnight, over the
// date line, with offsets of 45 minutes.
func zoneNames() []string {
	return []string{
		"Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "America/Havana", "America/Sao_Paulo",
		"Pacific/Apia", "Asia/Beirut", "Africa/Casablanca", "America/Scoresbysund", "Africa/Monrovia",
	}
}

func TestZonesAreThoseOfTheDatabase(t *testing.T) {
	for _, name := range append(zoneNames(), "UTC", "Etc/GMT-14", "EST5EDT", "America/Argentina/Buenos_Aires") {
		zone, err := search.NamedZone(name)
		if err != nil || zone.Location().String() != name {
			t.Errorf("%s: %v, %v", name, zone, err)
		}
	}
	for _, name := range []string{"", "Local", "localtime", "posixrules", "right/Europe/Berlin", "Europe", "Europe/Atlantis", "../etc/passwd", "/etc/localtime", "Europe/../Europe/Berlin", "60", "+01:00"} {
		if zone, err := search.NamedZone(name); !errors.Is(err, search.ErrZone) {
			t.Errorf("%q is the zone %v, %v", name, zone, err)
		}
	}
}

func TestAZoneIsTheSameAfterJSON(t *testing.T) {
	for _, zone := range []search.Zone{{}, {Minutes: -840}, {Minutes: 345}, {Name: "Europe/Berlin"}} {
		text, err := json.Marshal(zone)
		var again search.Zone
		if err == nil {
			err = json.Unmarshal(text, &again)
		}
		if err != nil || again != zone {
			t.Errorf("%+v is %s, which is %+v (%v)", zone, text, again, err)
		}
	}
	var zone search.Zone
	if json.Unmarshal([]byte("true"), &zone) == nil {
		t.Error("true is a zone")
	}
}

func TestATallyHoldsTheTopAndCountsTheRest(t *testing.T) {
	top := search.NewTopTexts(search.SummaryQuery{}, search.FacetStatuses)
	for i := range 60 {
		top.Add(string(rune('a'+i)), int64(1+i%3))
	}
	top.AddMissing(1)
	top.AddMissing(1)
	axis := top.Axis()
	if len(axis.Top) != search.DefaultTop || (axis.Rest != search.Rest{Values: 11, Count: 11}) {
		t.Fatalf("%d values, rest %+v", len(axis.Top), axis.Rest)
	}
	want := search.Share[search.Label]{Value: search.Label{None: true}, Count: 2}
	if diff := cmp.Diff(want, axis.Top[40]); diff != "" { // after 20 companies of 3 and the 20 others of 2
		t.Error(diff)
	}
	operators := search.NewTopTexts(search.SummaryQuery{}, search.FacetOperatorTypes)
	operators.Add(session.OperatorNone, 2)
	operators.AddMissing(3)
	if got := operators.Axis().Top; len(got) != 1 || got[0].Count != 5 {
		t.Errorf("without an operator: %+v", got)
	}
}
