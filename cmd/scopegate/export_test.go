package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// exportedSessions is more than one batch of either engine.
const exportedSessions = 2500

// TestAnExportIsOneSnapshotWhileAnImporterWrites on both engines: every id of its
// beginning once, none of what came later.
func TestAnExportIsOneSnapshotWhileAnImporterWrites(t *testing.T) {
	for engine, empty := range engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			lines := []string{companyLine(1, 0), companyLine(2, 1)}
			for i := range exportedSessions {
				lines = append(lines, sessionLine(fmt.Sprintf("s-%05d", i), 1+i%2, ""))
			}
			importLinesInto(t, at, lines...)
			record := filepath.Join(t.TempDir(), "audit.log")
			g := serveAt(t, at, "audit.file="+record)
			g.awaitReady(t)
			token := g.supervisor(t, 1)

			written := make(chan struct{})
			go func() {
				defer close(written)
				later := make([]string, 500)
				for i := range later {
					later[i] = sessionLine(fmt.Sprintf("later-%05d", i), 1, "")
				}
				importLinesInto(t, at, later...)
			}()
			r := g.get(t, "/api/v1/sessions/export?showAllSupervised=true&fields=id&format=NDJSON&sort=-id", token)
			<-written
			ids := idsOfLines(t, string(r.body))
			if total := r.header.Get("X-Total-Count"); total != strconv.Itoa(len(ids)) || r.trailer.Get("X-Row-Count") != total {
				t.Fatalf("%d rows, counted %s, trailer %v", len(ids), total, r.trailer)
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
func checkResumed(t *testing.T, g *servedGateway, token string) {
	t.Helper()
	const target = "/api/v1/sessions/export?showAllSupervised=true&fields=id&format=NDJSON"
	whole := idsOfLines(t, string(g.get(t, target, token).body))
	half := whole[:len(whole)/2]
	rest := idsOfLines(t, string(g.get(t, target+"&resumeAfter="+half[len(half)-1], token).body))
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
