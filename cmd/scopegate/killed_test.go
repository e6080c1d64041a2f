package main

import (
	"io"
	"net/http"
	"os/exec"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// killedSessions are several batches of an import.
const killedSessions = 10_000

// An import that is killed gets no chance to tidy up.
func TestAnImportThatWasKilledMidwayIsRunAgainAndNothingIsMissingOrDoubled(t *testing.T) {
	path, sessions := program(t), manySessions()[:killedSessions]
	for engine, empty := range engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			g := serveAt(t, at, "cache.fresh=0s")
			token := g.supervisor(t, 1)
			count := func() int64 {
				r := g.get(t, "/api/v1/sessions?showAllSupervised=true&limit=1", token)
				if r.status != http.StatusOK {
					return 0 // there is no company yet
				}
				return r.page(t).Count
			}
			importAndKill(t, path, at, sessions, func() bool { return count() > 0 })
			if n := count(); n == 0 || n >= killedSessions {
				t.Fatalf("%d of %d sessions are stored: it was not killed midway", n, killedSessions)
			}
			reader, writer := io.Pipe()
			go func() { _ = writer.CloseWithError(writeMany(writer, sessions)) }() // always nil
			importInto(t, at, reader)

			want := map[string]int{}
			for _, s := range sessions {
				want[s.id] = 1
			}
			got, next := map[string]int{}, "/api/v1/sessions?showAllSupervised=true&fields=id&limit=1000"
			for next != "" {
				r := g.get(t, next, token)
				for _, id := range r.page(t).ids(t) {
					got[id]++
				}
				next = r.next()
			}
			if diff := gocmp.Diff(want, got); diff != "" || count() != killedSessions {
				t.Errorf("counts %d, %s", count(), diff)
			}
		})
	}
}

// importAndKill imports half of the sessions and kills the command when some of
// them are there, and others still to come.
func importAndKill(t *testing.T, program string, at place, sessions []started, midway func() bool) {
	t.Helper()
	load := exec.CommandContext(t.Context(), program, append([]string{"import", "-"}, at.flags()...)...)
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
	eventually(t, "some sessions are stored", midway)
	if err := load.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := load.Wait(); err == nil {
		t.Error("the import came to its end")
	}
}
