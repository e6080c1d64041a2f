package commands_test

import (
	"encoding/json"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// pair is two directory commands that contradict each other.
type pair struct {
	base string // the directory before
	a, b typed
}

type typed struct {
	in   string
	args []string
}

// ending is what came of a pair.
type ending struct {
	A, B []map[string]any // audit
	Left string
}

func pairs() map[string]pair {
	const issuer, subject = "https://id.example", "u1"
	base := strings.Join([]string{harness.CompanyLine(1, 0), harness.CompanyLine(2, 1), harness.CompanyLine(3, 1), harness.CompanyLine(4, 2)}, "\n")
	account := []string{"--issuer", issuer, "--subject", subject, "--company", "3"}
	move := func(id, parent string) typed { return typed{args: []string{"move", id, "--parent", parent}} }
	grant := typed{args: append([]string{"grant"}, account...)}
	revoke := typed{args: append([]string{"revoke"}, account...)}
	importing := func(text string, flags ...string) typed {
		return typed{text, append(append([]string{"import"}, flags...), "-")}
	}
	return map[string]pair{
		"a move beside its reverse":          {base, move("2", "3"), move("3", "2")},
		"a move beside another of the same":  {base, move("4", "3"), move("4", "1")},
		"an import beside a move":            {base, importing(harness.CompanyLine(3, 4)), move("2", "3")},
		"an import below what is removed":    {base, importing(harness.CompanyLine(5, 4)), importing(`{"type": "company", "op": "delete", "doc": {"id": 4}}`)},
		"a grant beside its revocation":      {base + "\n" + grantOf(issuer, subject, 3), grant, revoke},
		"a revocation beside its grant":      {base, grant, revoke},
		"a grant of a company that goes":     {base, grant, importing(`{"type": "company", "op": "delete", "doc": {"id": 3}}`)},
		"a replacement beside a move":        {base, importing(harness.CompanyLine(1, 0)+"\n"+harness.CompanyLine(2, 3)+"\n"+harness.CompanyLine(3, 1), "--replace"), move("3", "2")},
		"a replacement beside a replacement": {base, importing(harness.CompanyLine(1, 0)+"\n"+harness.CompanyLine(2, 1), "--replace"), importing(harness.CompanyLine(3, 0)+"\n"+harness.CompanyLine(2, 3), "--replace")},
	}
}

// pairedCommand is a command under way or at its end.
type pairedCommand struct {
	typed
	ops *operator
	err error
}

// run takes a refusal for a result.
func (a *pairedCommand) run(t *testing.T) {
	t.Helper()
	_, a.err = a.ops.try(t, a.in, a.args...)
}

// recordedOutcome is what the audit's lines say of a command that ended so.
func recordedOutcome(err error) string {
	switch cli.ExitCode(err, io.Discard) {
	case cli.ExitOK:
		return "done"
	case cli.ExitRefused:
		return "refused"
	}
	return "failed"
}

// events are on record; each says how the command ended.
func (a *pairedCommand) events(t *testing.T) []map[string]any {
	t.Helper()
	events := a.ops.recorded(t)
	for _, e := range events {
		if want := recordedOutcome(a.err); e["outcome"] != want && (want != "done" || e["outcome"] != "unchanged") {
			t.Errorf("%v ended with %v, and on record is %v", a.args, a.err, e)
		}
	}
	return events
}

// TestTwoCommandsAtOnceEndAsOneAfterTheOther runs each pair in either order first:
// what comes of it at once must be one of the two, in the directory and on record.
func TestTwoCommandsAtOnceEndAsOneAfterTheOther(t *testing.T) {
	places := map[string]harness.Place{}
	for engine, empty := range harness.Engines() {
		places[engine] = empty(t)
	}
	for name, p := range pairs() {
		t.Run(name, func(t *testing.T) {
			orders := []ending{p.inOrder(t, false), p.inOrder(t, true)}
			if cmp.Equal(orders[0], orders[1]) {
				t.Fatal("the commands do not contradict each other")
			}
			for engine, at := range places {
				for range (pairsAtOnce(t, engine) + len(pairs()) - 1) / len(pairs()) {
					got := p.atOnce(t, at)
					if !cmp.Equal(got, orders[0]) && !cmp.Equal(got, orders[1]) {
						text, _ := json.MarshalIndent(append(orders, got), "", " ")
						t.Fatalf("on %s, the third is none of the two orders:\n%s", engine, text)
					}
				}
			}
		})
	}
}

// pairsAtOnce is how many pairs are tried: SCOPEGATE_TEST_PAIRS, or what takes some
// seconds.
func pairsAtOnce(t *testing.T, engine string) int {
	t.Helper()
	given := os.Getenv("SCOPEGATE_TEST_PAIRS")
	if given == "" {
		return map[string]int{"SQLite": 45, "Elasticsearch": 18}[engine]
	}
	n, err := strconv.Atoi(given)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// end has the directory as it is before, the commands run by f, and returns what
// came of it.
func (p pair) end(t *testing.T, at harness.Place, f func(a, b *pairedCommand)) ending {
	t.Helper()
	newOperator(t, at).do(t, p.base, "import", "--replace", "-")
	a, b := &pairedCommand{typed: p.a, ops: newOperator(t, at)}, &pairedCommand{typed: p.b, ops: newOperator(t, at)}
	f(a, b)
	return ending{A: a.events(t), B: b.events(t), Left: newOperator(t, at).do(t, "", "show")}
}

func (p pair) inOrder(t *testing.T, bFirst bool) ending {
	t.Helper()
	return p.end(t, harness.EmptyFolder(t), func(a, b *pairedCommand) {
		if bFirst {
			a, b = b, a
		}
		a.run(t)
		b.run(t)
	})
}

func (p pair) atOnce(t *testing.T, at harness.Place) ending {
	t.Helper()
	return p.end(t, at, func(a, b *pairedCommand) {
		var both sync.WaitGroup
		both.Go(func() { a.run(t) })
		both.Go(func() { b.run(t) })
		both.Wait()
	})
}

// late is input that comes when somebody else has changed the directory.
type late struct {
	io.Reader
	before func()
	once   sync.Once
}

func (l *late) Read(p []byte) (int, error) {
	l.once.Do(l.before)
	return l.Reader.Read(p)
}

func TestAnImportWhoseInputComesLateIsMadeOfTheDirectoryAsItIsThen(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			harness.ImportLinesInto(t, at, harness.CompanyLine(1, 0), harness.CompanyLine(2, 0), harness.CompanyLine(3, 1), harness.CompanyLine(4, 1))
			ops, others := newOperator(t, at), newOperator(t, at)
			renamed := `{"type": "company", "doc": {"id": 4, "name": "Renamed", "parentId": 1}}`
			in := &late{Reader: strings.NewReader(renamed), before: func() {
				others.do(t, "", "move", "3", "--parent", "2")
				others.do(t, "", "move", "4", "--parent", "2")
			}}
			args := append([]string{"directory", "import", "-", "--actor", "ops", "--set", "audit.file=" + ops.audit}, at.Flags()...)
			if err := cli.Run(t.Context(), args, nil, cli.Streams{In: in, Out: io.Discard, Err: io.Discard}); err != nil {
				t.Fatal(err)
			}
			moved := moveEvent("directory import", 4, 2.0, 1.0)
			moved["renamed"] = true
			ops.wantRecorded(t, moved)
			others.wantRecorded(t, moveEvent("directory move", 3, 1.0, 2.0), moveEvent("directory move", 4, 1.0, 2.0))
			want := "companies: 4, roots: 2, grants: 0, problems: 0\n" +
				"1 \"Company 1\", below it: 1\n  4 \"Renamed\"\n2 \"Company 2\", below it: 1\n  3 \"Company 3\"\n"
			if diff := cmp.Diff(want, ops.do(t, "", "show")); diff != "" {
				t.Errorf("directory (-want +got):\n%s", diff)
			}
		})
	}
}
