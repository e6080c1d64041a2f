package journeys_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

const (
	newestClients  = 37
	newestSessions = 300
)

// newestSession is a session of one of the clients, or of none.
type newestSession struct {
	id, client, started string
	company             int
}

func newestOf(i int) newestSession {
	s := newestSession{
		id: fmt.Sprintf("n%03d", i), company: 1 + i%2, client: fmt.Sprintf("client %d", i*i%newestClients),
		started: fmt.Sprintf("2024-05-%02dT10:00:00.000Z", 1+i*7%23),
	}
	if i%29 == 0 {
		s.client = ""
	}
	return s
}

func (s newestSession) line() string {
	fields := fmt.Sprintf(`"startedAt": %q, "name": "Name %s", "status": %q`, s.started, s.id[2:], []string{"OPEN", "CLOSED"}[len(s.client)%2])
	if s.client != "" {
		fields += fmt.Sprintf(`, "clientId": %q`, s.client)
	}
	return harness.SessionLine(s.id, s.company, fields)
}

// newestIDs are the ids that are kept, the newest first, then by id.
func newestIDs() []string {
	newest := map[string]newestSession{}
	for i := range newestSessions {
		s := newestOf(i)
		of := fmt.Sprintf("%d %s", s.company, s.client)
		if s.client == "" {
			of = s.id
		}
		if other, ok := newest[of]; !ok || s.started+s.id > other.started+other.id {
			newest[of] = s
		}
	}
	kept := slices.SortedFunc(maps.Values(newest), func(a, b newestSession) int {
		if a.started != b.started {
			return strings.Compare(b.started, a.started)
		}
		return strings.Compare(a.id, b.id)
	})
	ids := make([]string, len(kept))
	for i, s := range kept {
		ids[i] = s.id
	}
	return ids
}

// The published client shows one session of each client. It asks for the count
// alone, then for pages without the count, by page, by offset or behind the last
// value; others follow the link. All show the same sessions, each once.
func TestThePublishedClientSeesTheNewestSessionOfEachClient(t *testing.T) {
	lines := []string{harness.CompanyLine(1, 0), harness.CompanyLine(2, 1)}
	for i := range newestSessions {
		lines = append(lines, newestOf(i).line())
	}
	want := newestIDs()
	for name, place := range harness.Engines() {
		t.Run(name, func(t *testing.T) {
			at := place(t)
			harness.ImportLinesInto(t, at, lines...)
			g := harness.ServeAt(t, at)
			g.AwaitReady(t)
			token := g.Supervisor(t, 1)
			const target = "/api/v1/sessions?showAllSupervised=true&groupByClientId=true&fields=id,startedAt"
			if count := g.Get(t, target+"&withoutItems=true", token).Page(t).Count; count != int64(len(want)) {
				t.Errorf("count %d, want %d", count, len(want))
			}
			for way, pages := range newestWays(t, g, target, token) {
				if diff := cmp.Diff(want, pages); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
			}
			wantNewestFiles(t, g, token, want)
			wantNewestOfAnother(t, g, at, token, target)
		})
	}
}

// newestWays reads all pages in each of the ways there are.
func newestWays(t *testing.T, g *harness.Gateway, target, token string) map[string][]string {
	t.Helper()
	const limit = 9
	byPage := func(parameter string, factor int) (ids []string) {
		for n := 0; ; n++ {
			page := g.Get(t, fmt.Sprintf("%s&withoutCount=true&limit=%d&%s=%d", target, limit, parameter, n*factor), token).Page(t)
			if ids = append(ids, page.IDs(t)...); len(page.Items) < limit {
				return ids
			}
		}
	}
	ways := map[string][]string{
		"by page":        byPage("page", 1),
		"by offset":      byPage("offset", limit),
		"by link":        g.Follow(t, target+"&limit="+strconv.Itoa(limit), token),
		"in one request": g.Get(t, target+"&limit=1000", token).Page(t).IDs(t),
	}
	r := g.Post(t, "/api/v1/sessions/search", token, map[string]any{"showAllSupervised": true, "groupByClientId": true, "limit": 1000, "fields": []string{"id"}})
	ways["by body"] = r.Page(t).IDs(t)
	return ways
}

// wantNewestFiles exports, which is in the order of ids.
func wantNewestFiles(t *testing.T, g *harness.Gateway, token string, want []string) {
	t.Helper()
	const target = "/api/v1/sessions/export?showAllSupervised=true&groupByClientId=true&fields=id"
	r := g.Get(t, target, token)
	rows := strings.Fields(string(r.Body))
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), rows[1:]); diff != "" || r.Status != http.StatusOK || r.Header.Get("X-Total-Count") != strconv.Itoa(len(want)) {
		t.Errorf("export: status %d, %s in all (-want +got):\n%s", r.Status, r.Header.Get("X-Total-Count"), diff)
	}
	if r := g.Get(t, target+"&sort=name", token); r.Status != http.StatusBadRequest || !strings.Contains(string(r.Body), "groupByClientId") {
		t.Errorf("export by name: status %d, %s", r.Status, r.Body)
	}
}

// wantNewestOfAnother writes a newer session of a client: it is seen instead of the
// one before, and only by who may see it.
func wantNewestOfAnother(t *testing.T, g *harness.Gateway, at harness.Place, token, target string) {
	t.Helper()
	newer := newestSession{id: "newer", company: 2, client: newestOf(1).client, started: "2024-06-01T10:00:00.000Z"}
	before := newestOf(1)
	shown := func(token, target string) []string { return g.Get(t, target+"&limit=1000", token).Page(t).IDs(t) }
	own := strings.Replace(target, "showAllSupervised=true&", "", 1)
	ofOne := shown(token, own)
	harness.ImportLinesInto(t, at, newer.line())
	harness.Eventually(t, "the newer session is shown", func() bool { return slices.Contains(shown(token, target), newer.id) })
	if ids := shown(token, target); ids[0] != newer.id || len(ids) != len(newestIDs()) {
		t.Errorf("%d sessions, the first %s; one of client %q of company %d is newer", len(ids), ids[0], before.client, before.company)
	}
	if diff := cmp.Diff(ofOne, shown(token, own)); diff != "" {
		t.Errorf("company 1 alone (-before +after):\n%s", diff)
	}
}
