package commands_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// exportedSessions is more than one batch of either engine.
const exportedSessions = 2500

// TestAnExportIsOneSnapshotWhileAnImporterWrites on both engines: every id of its
// beginning once, none of what came later.
func TestAnExportIsOneSnapshotWhileAnImporterWrites(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			lines := []string{harness.CompanyLine(1, 0), harness.CompanyLine(2, 1)}
			for i := range exportedSessions {
				lines = append(lines, harness.SessionLine(fmt.Sprintf("s-%05d", i), 1+i%2, ""))
			}
			harness.ImportLinesInto(t, at, lines...)
			record := filepath.Join(t.TempDir(), "audit.log")
			g := harness.ServeAt(t, at, "audit.file="+record)
			g.AwaitReady(t)
			token := g.Supervisor(t, 1)

			written := make(chan struct{})
			go func() {
				defer close(written)
				later := make([]string, 500)
				for i := range later {
					later[i] = harness.SessionLine(fmt.Sprintf("later-%05d", i), 1, "")
				}
				harness.ImportLinesInto(t, at, later...)
			}()
			r := g.Get(t, "/api/v1/sessions/export?showAllSupervised=true&fields=id&format=NDJSON&sort=-id", token)
			<-written
			ids := idsOfLines(t, string(r.Body))
			if total := r.Header.Get("X-Total-Count"); total != strconv.Itoa(len(ids)) || r.Trailer.Get("X-Row-Count") != total {
				t.Fatalf("%d rows, counted %s, trailer %v", len(ids), total, r.Trailer)
			}
			seen := map[string]bool{}
			old := 0
			for i, id := range ids {
				if seen[id] || i > 0 && ids[i-1] <= id {
					t.Fatalf("row %d, %s, is there twice or not in order", i, id)
				}
				seen[id] = true
				if strings.HasPrefix(id, "s-") {
					old++
				}
			}
			if old != exportedSessions {
				t.Errorf("%d of the %d sessions that were there", old, exportedSessions)
			}
			checkResumed(t, g, token)
			checkAudited(t, record, len(ids))
		})
	}
}

// checkResumed goes on behind an id, in the order that an export has by itself.
func checkResumed(t *testing.T, g *harness.Gateway, token string) {
	t.Helper()
	const target = "/api/v1/sessions/export?showAllSupervised=true&fields=id&format=NDJSON"
	whole := idsOfLines(t, string(g.Get(t, target, token).Body))
	half := whole[:len(whole)/2]
	rest := idsOfLines(t, string(g.Get(t, target+"&resumeAfter="+half[len(half)-1], token).Body))
	if len(half)+len(rest) != len(whole) || rest[0] != whole[len(half)] {
		t.Errorf("%d and %d rows, where there are %d; the second part begins with %s, want %s", len(half), len(rest), len(whole), rest[0], whole[len(half)])
	}
}

func checkAudited(t *testing.T, record string, rows int) {
	t.Helper()
	text, err := os.ReadFile(record) // #nosec G304 -- a file of the test's
	if err != nil {
		t.Fatal(err)
	}
	var line struct {
		Action, Actor, Outcome string
		Rows                   int
	}
	first, _, _ := strings.Cut(string(text), "\n")
	if err := json.Unmarshal([]byte(first), &line); err != nil {
		t.Fatal(err)
	}
	if line.Action != "sessions.export" || line.Outcome != "done" || line.Rows != rows || line.Actor == "" {
		t.Errorf("recorded as %s", first)
	}
}

func idsOfLines(t *testing.T, file string) []string {
	t.Helper()
	var ids []string
	for line := range strings.Lines(file) {
		var row struct{ ID string }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, row.ID)
	}
	return ids
}
