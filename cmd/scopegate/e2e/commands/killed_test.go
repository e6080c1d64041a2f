package commands_test

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/tenancy"
)

// killedSessions are several batches of an import.
const killedSessions = 10_000

// An import that is killed gets no chance to tidy up.
func TestAnImportThatWasKilledMidwayIsRunAgainAndNothingIsMissingOrDoubled(t *testing.T) {
	path, sessions := harness.Program(t), manySessions()[:killedSessions]
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			g := harness.ServeAt(t, at, "cache.fresh=0s")
			token := g.Supervisor(t, 1)
			count := func() int64 {
				r := g.Get(t, "/api/v1/sessions?showAllSupervised=true&limit=1", token)
				if r.Status != http.StatusOK {
					return 0 // there is no company yet
				}
				return r.Page(t).Count
			}
			importAndKill(t, path, at, sessions, func() bool { return count() > 0 })
			if n := count(); n == 0 || n >= killedSessions {
				t.Fatalf("%d of %d sessions are stored: it was not killed midway", n, killedSessions)
			}
			reader, writer := io.Pipe()
			go func() { _ = writer.CloseWithError(writeMany(writer, sessions)) }() // always nil
			harness.ImportInto(t, at, reader)

			want := map[string]int{}
			for _, s := range sessions {
				want[s.id] = 1
			}
			got, next := map[string]int{}, "/api/v1/sessions?showAllSupervised=true&fields=id&limit=1000"
			for next != "" {
				r := g.Get(t, next, token)
				for _, id := range r.Page(t).IDs(t) {
					got[id]++
				}
				next = r.Next()
			}
			if diff := gocmp.Diff(want, got); diff != "" || count() != killedSessions {
				t.Errorf("counts %d, %s", count(), diff)
			}
		})
	}
}

// importAndKill imports half of the sessions and kills the command when some of
// them are there, and others still to come.
func importAndKill(t *testing.T, program string, at harness.Place, sessions []started, midway func() bool) {
	t.Helper()
	load := exec.CommandContext(t.Context(), program, append([]string{"import", "-"}, at.Flags()...)...)
	in, err := load.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	if err := writeMany(in, sessions[:len(sessions)/2]); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "some sessions are stored", midway)
	if err := load.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := load.Wait(); err == nil {
		t.Error("the import came to its end")
	}
}

// The second run finds the sessions where they went, and cannot tell from them
// which company they have left.
func TestAKilledImportIsPublishedWhenItIsRunAgainAlsoTheCompaniesThatSessionsHaveLeft(t *testing.T) {
	path := harness.Program(t)
	at := append(harness.EmptyIndices(t), harness.RedisSettings(strings.TrimPrefix(harness.Service(t, "SCOPEGATE_TEST_REDIS"), "redis://"))...)
	const moving = 10
	in := func(company int) string {
		var lines strings.Builder
		for i := range moving {
			fmt.Fprintf(&lines, `{"type":"session","doc":{"id":"moving-%d","companyId":%d}}`+"\n", i, company)
		}
		return lines.String()
	}
	harness.PlantSmallTree(t, at)
	harness.ImportInto(t, at, strings.NewReader(in(2)))
	cached, fresh := harness.ServeAt(t, at, "cache.fresh=1m", "cache.stale=10m"), harness.ServeAt(t, at, "cache.fresh=0s")
	before, _ := harness.CountOf(t, cached, 2)
	harness.Eventually(t, "the answer is kept", func() bool { _, status := harness.CountOf(t, cached, 2); return harness.IsPageHit(status) })

	load := exec.CommandContext(t.Context(), path, append([]string{"import", "--batch", strconv.Itoa(moving), "-"}, at.Flags()...)...)
	stdin, err := load.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stdin, in(3)); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the sessions have moved", func() bool { count, _ := harness.CountOf(t, fresh, 2); return count == before-moving })
	if err := load.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := load.Wait(); err == nil {
		t.Error("the import came to its end")
	}
	if count, status := harness.CountOf(t, cached, 2); count != before || !harness.IsPageHit(status) {
		t.Fatalf("it was told of before it was killed: %d, %s", count, status)
	}
	published := publishedAfter(t, at)
	harness.ImportInto(t, at, strings.NewReader(in(3)))
	if companies := published(); !slices.Contains(companies, 2) || !slices.Contains(companies, 3) {
		t.Errorf("it was told of %v", companies)
	}
	harness.Eventually(t, "the company that was left is answered anew", func() bool { count, _ := harness.CountOf(t, cached, 2); return count == before-moving })
}

// publishedAfter returns what lists the companies that gateways are told of from now on.
func publishedAfter(t *testing.T, at harness.Place) func() []tenancy.CompanyID {
	t.Helper()
	cfg, err := config.LoadEngine(config.Sources{Set: at})
	if err != nil {
		t.Fatal(err)
	}
	var closers app.Closers
	t.Cleanup(func() { _ = closers.Close() })
	publisher, err := app.OpenPublisher(cfg, &closers)
	if err != nil {
		t.Fatal(err)
	}
	log := publisher.(invalidation.Log)
	next := func(at invalidation.Offset) invalidation.Batch {
		t.Helper()
		batch, err := log.Next(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		return batch
	}
	start := next(invalidation.Offset{}).Offset
	return func() []tenancy.CompanyID {
		t.Helper()
		var companies []tenancy.CompanyID
		for _, event := range next(start).Events {
			companies = append(companies, event.Companies...)
		}
		return companies
	}
}
