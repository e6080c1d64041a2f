package journeys_test

import (
	"encoding/json"
	"fmt"
	"go/build"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// zoneYear is the year of the dates; all zones of the test change their clocks in it,
// except that of Kathmandu.
const zoneYear = 2024

// zoneDates are spread over a year, most of them near changes of a clock.
func zoneDates() []string {
	random := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- test data
	start := time.Date(zoneYear, time.January, 1, 0, 0, 0, 0, time.UTC)
	changes := []time.Time{
		time.Date(zoneYear, time.March, 31, 1, 0, 0, 0, time.UTC), time.Date(zoneYear, time.October, 27, 1, 0, 0, 0, time.UTC), // Berlin
		time.Date(zoneYear, time.April, 6, 15, 0, 0, 0, time.UTC), time.Date(zoneYear, time.October, 5, 15, 30, 0, 0, time.UTC), // Lord Howe
	}
	var dates []string
	for range 800 {
		at := start.Add(time.Duration(random.Int64N(int64(366 * 24 * time.Hour))))
		if random.IntN(2) == 0 {
			at = changes[random.IntN(len(changes))].Add(time.Duration(random.Int64N(int64(60*time.Hour))) - 30*time.Hour)
		}
		dates = append(dates, at.Format("2006-01-02T15:04:05.000Z"))
	}
	return append(dates, "2024-03-31T00:59:59.999Z", "2024-03-31T01:00:00.000Z", "2024-10-27T00:59:59.999Z", "2024-10-27T01:00:00.000Z")
}

// countByPython counts the dates in the simplest way, with the rules of Python's
// zoneinfo: by what the clock shows, and by its offset where it shows an hour twice.
// The counts are in the order of time. It also writes each date as the clock shows it.
const countByPython = `
import json, sys
from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo
asked = json.load(sys.stdin)
answer = {}
for name in asked["zones"]:
    zone = ZoneInfo(name)
    local = [datetime.fromisoformat(d.replace("Z", "+00:00")).astimezone(zone) for d in sorted(asked["dates"])]
    counts = {
        "hour": Counter((t.year, t.month, t.day, t.hour, t.utcoffset()) for t in local),
        "day": Counter((t.year, t.month, t.day) for t in local),
        "week": Counter(t.isocalendar()[:2] for t in local),
        "month": Counter((t.year, t.month) for t in local),
        "year": Counter(t.year for t in local),
    }
    answer[name] = {
        "counts": {interval: list(c.values()) for interval, c in counts.items()},
        "clock": sorted(t.isoformat(timespec="milliseconds") for t in local),
    }
json.dump(answer, sys.stdout)
`

type zoneCounts struct {
	Counts map[string][]int64
	Clock  []string
}

func byPython(t *testing.T, zones, dates []string) map[string]zoneCounts {
	t.Helper()
	asked, err := json.Marshal(map[string]any{"zones": zones, "dates": dates})
	if err != nil {
		t.Fatal(err)
	}
	python := exec.CommandContext(t.Context(), "python3", "-c", countByPython)
	python.Stdin = strings.NewReader(string(asked))
	out, err := python.Output()
	if err != nil {
		t.Fatalf("python3: %v", err)
	}
	var counts map[string]zoneCounts
	if err := json.Unmarshal(out, &counts); err != nil {
		t.Fatal(err)
	}
	return counts
}

type zoneHistogram struct {
	Timezone any
	Buckets  []struct {
		From, To time.Time
		Count    int64
	}
}

// A histogram of a year by the calendar of a zone has the counts that Python has,
// with days of 23 and 25 hours, offsets of 45 minutes, and a clock that changes by
// 30 minutes. So have the dates of a file what Python's clock shows.
func TestHistogramsAndFilesFollowTheRulesOfAZone(t *testing.T) {
	zones, dates := []string{"Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"}, zoneDates()
	want := byPython(t, zones, dates)
	lines := []string{harness.CompanyLine(1, 0)}
	for i, date := range dates {
		lines = append(lines, harness.SessionLine(fmt.Sprintf("z%04d", i), 1, fmt.Sprintf(`"createdAt": %q`, date)))
	}
	for name, place := range harness.Engines() {
		t.Run(name, func(t *testing.T) {
			at := place(t)
			harness.ImportLinesInto(t, at, lines...)
			g := harness.ServeAt(t, at)
			g.AwaitReady(t)
			for _, zone := range zones {
				for interval, counts := range want[zone].Counts {
					if interval == "hour" && len(counts) > 0 {
						wantFilled(t, g, zone, counts)
					}
					h := histogramIn(t, g, harness.Query("interval", interval, "timezone", zone))
					if diff := cmp.Diff(counts, notEmpty(h)); diff != "" || h.Timezone != zone {
						t.Errorf("%s by %s, of %v (-Python +Scopegate):\n%s", zone, interval, h.Timezone, diff)
					}
				}
				if diff := cmp.Diff(want[zone].Clock, clockOf(t, g, zone)); diff != "" {
					t.Errorf("CSV in %s (-Python +Scopegate):\n%s", zone, diff)
				}
			}
			wantLongDays(t, g)
			wantSpreadsheets(t, g)
		})
	}
}

func histogramIn(t *testing.T, g *harness.Gateway, query string) zoneHistogram {
	t.Helper()
	r := g.Get(t, "/api/v1/sessions/summary"+query, g.Supervisor(t, 1))
	var body struct{ Histogram zoneHistogram }
	if err := json.Unmarshal(r.Body, &body); err != nil || r.Status != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %s", query, r.Status, err, r.Body)
	}
	return body.Histogram
}

func notEmpty(h zoneHistogram) (counts []int64) {
	for _, b := range h.Buckets {
		if b.Count > 0 {
			counts = append(counts, b.Count)
		}
	}
	return counts
}

// wantFilled asks for every hour of the year: there are as many as the year has, and
// the counts stay the same.
func wantFilled(t *testing.T, g *harness.Gateway, zone string, counts []int64) {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	first, end := time.Date(zoneYear-1, time.December, 31, 0, 0, 0, 0, location), time.Date(zoneYear+1, time.January, 3, 0, 0, 0, 0, location)
	h := histogramIn(t, g, harness.Query("interval", "hour", "timezone", zone, "fill", "true",
		"from", first.UTC().Format(time.RFC3339), "to", end.Add(-time.Second).UTC().Format(time.RFC3339)))
	hours := int(end.Sub(first) / time.Hour)
	if zone == "Australia/Lord_Howe" {
		hours++ // two hours of the year are cut in half, since the clock changes by 30 minutes
	}
	if len(h.Buckets) != hours || !h.Buckets[0].From.Equal(first) || !h.Buckets[len(h.Buckets)-1].To.Equal(end.Add(-time.Millisecond)) {
		t.Errorf("%s: %d hours, want %d; from %s to %s", zone, len(h.Buckets), hours, h.Buckets[0].From, h.Buckets[len(h.Buckets)-1].To)
	}
	if diff := cmp.Diff(counts, notEmpty(h)); diff != "" {
		t.Errorf("%s, filled (-Python +Scopegate):\n%s", zone, diff)
	}
}

// wantLongDays looks at the days on which Berlin changes its clocks.
func wantLongDays(t *testing.T, g *harness.Gateway) {
	t.Helper()
	days := map[time.Duration]int{}
	for _, b := range histogramIn(t, g, harness.Query("interval", "day", "timezone", "Europe/Berlin", "fill", "true",
		"from", "2024-01-01T00:00:00+01:00", "to", "2024-12-31T23:59:59+01:00")).Buckets {
		days[b.To.Add(time.Millisecond).Sub(b.From)]++
	}
	if diff := cmp.Diff(map[time.Duration]int{23 * time.Hour: 1, 24 * time.Hour: 364, 25 * time.Hour: 1}, days); diff != "" {
		t.Errorf("lengths of days (-want +got):\n%s", diff)
	}
}

// clockOf exports the dates.
func clockOf(t *testing.T, g *harness.Gateway, zone string) []string {
	t.Helper()
	r := g.Get(t, "/api/v1/sessions/export?fields=createdAt&timezone="+url.QueryEscape(zone), g.Supervisor(t, 1))
	rows := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(r.Body), "\r", "")), "\n")
	if r.Status != http.StatusOK || rows[0] != "createdAt" {
		t.Fatalf("status %d: %s", r.Status, rows[0])
	}
	slices.Sort(rows[1:])
	return rows[1:]
}

// wantSpreadsheets looks at two dates in one file, one in winter and one in summer.
func wantSpreadsheets(t *testing.T, g *harness.Gateway) {
	t.Helper()
	r := g.Get(t, "/api/v1/sessions/export"+harness.Query("fields", "createdAt", "timezone", "Europe/Berlin", "format", "CSV_EXCEL",
		"from", "2024-03-31T00:59:59.999Z", "to", "2024-03-31T01:00:00Z"), g.Supervisor(t, 1))
	for _, want := range []string{"2024-03-31 01:59:59", "2024-03-31 03:00:00"} {
		if !strings.Contains(string(r.Body), want) {
			t.Errorf("CSV_EXCEL has no %s: %s", want, r.Body)
		}
	}
}

// The rules of the zones are in the program, for machines that have none.
func TestTheProgramHasTheRulesOfZones(t *testing.T) {
	program, err := build.ImportDir("../..", 0)
	if err != nil || !slices.Contains(program.Imports, "time/tzdata") {
		t.Errorf("cmd/scopegate imports %v (%v), not time/tzdata", program.Imports, err)
	}
}
