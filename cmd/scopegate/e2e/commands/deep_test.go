package commands_test

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"

	gocmp "github.com/google/go-cmp/cmp"
)

// deepSessions is how many sessions the deep pages go through: five times what
// Elasticsearch lets a page reach by itself.
const deepSessions = 50_000

// started is a session of the large import, as the naive order sees it.
type started struct {
	id   string
	name string
	at   int64 // milliseconds since 1970; 0: never
}

// manySessions are in companies 1 to 3; dates and names come more than once.
func manySessions() []started {
	random := rand.New(rand.NewPCG(7, 11))
	sessions := make([]started, deepSessions)
	for i := range sessions {
		sessions[i] = started{id: fmt.Sprintf("s-%06d", i), name: fmt.Sprintf("Client %d", random.IntN(5000))}
		if random.IntN(50) > 0 {
			sessions[i].at = 1_700_000_000_000 + random.Int64N(100_000)*1000
		}
	}
	return sessions
}

func writeMany(w io.Writer, sessions []started) error {
	var b strings.Builder
	for _, id := range []string{harness.CompanyLine(1, 0), harness.CompanyLine(2, 1), harness.CompanyLine(3, 2)} {
		b.WriteString(id + "\n")
	}
	for i, s := range sessions {
		at := "null"
		if s.at != 0 {
			at = time.UnixMilli(s.at).UTC().Format(`"2006-01-02T15:04:05.000Z"`)
		}
		b.WriteString(harness.SessionLine(s.id, 1+i%3, fmt.Sprintf(`"name": %q, "startedAt": %s`, s.name, at)) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func importMany(t *testing.T, program, dir string, sessions []started) {
	t.Helper()
	reader, writer := io.Pipe()
	go func() { _ = writer.CloseWithError(writeMany(writer, sessions)) }() // always nil
	load := exec.CommandContext(t.Context(), program, "import", "--strict", "--data", dir, "-")
	load.Stdin = reader
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func idsInOrder(sessions []started, order func(a, b started) int) []string {
	slices.SortFunc(sessions, order)
	ids := make([]string, len(sessions))
	for i, s := range sessions {
		ids[i] = s.id
	}
	return ids
}

func TestPagesAndCursorsOfALargeImportAreTheNaiveOrder(t *testing.T) {
	path, dir, sessions := harness.Program(t), t.TempDir(), manySessions()
	importMany(t, path, dir, sessions)
	g := harness.ServeBy(t, harness.AsProgram(path), harness.Folder(dir)...)
	token := g.Supervisor(t, 1)
	const search = "/api/v1/sessions?showAllSupervised=true&fields=id&limit=1000"

	newestFirst := idsInOrder(sessions, func(a, b started) int {
		return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(a.id, b.id)) // 0, for none, comes last
	})
	var byOffset []string
	for offset := 0; offset <= deepSessions; offset += 1000 {
		p := g.Get(t, fmt.Sprintf("%s&offset=%d", search, offset), token).Page(t)
		if p.Count != deepSessions {
			t.Fatalf("counts %d at offset %d", p.Count, offset)
		}
		byOffset = append(byOffset, p.IDs(t)...)
	}
	sameOrder(t, "offsets", byOffset, newestFirst)
	sameOrder(t, "cursors", g.Follow(t, search+"&withoutCount=true", token), newestFirst)

	byName := idsInOrder(sessions, func(a, b started) int {
		return cmp.Or(strings.Compare(b.name, a.name), cmp.Compare(a.id, b.id))
	})
	sameOrder(t, "cursors by name", g.Follow(t, search+"&withoutCount=true&sort=-name", token), byName)
}

// sameOrder tells the first difference only: a diff of all would be no help.
func sameOrder(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s lead to %d sessions, want %d", what, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s: at %d %s", what, i, gocmp.Diff(want[i:min(i+5, len(want))], got[i:min(i+5, len(got))]))
		}
	}
}
