package harness

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/session"
)

// CompanyLine makes a line of the directory; parent 0 is a root.
func CompanyLine(id, parent int) string {
	up := "null"
	if parent != 0 {
		up = strconv.Itoa(parent)
	}
	return fmt.Sprintf(`{"type": "company", "doc": {"id": %d, "name": "Company %d", "parentId": %s}}`, id, id, up)
}

// SessionLine makes a line of a session; fields are further ones as JSON, or empty.
func SessionLine(id string, company int, fields string) string {
	if fields != "" {
		fields = ", " + fields
	}
	return fmt.Sprintf(`{"type": "session", "doc": {"id": %q, "companyId": %d%s}}`, id, company, fields)
}

// SmallTree is companies 1 over 2 and 3, and 9 apart, with a few sessions.
func SmallTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	PlantSmallTree(t, Folder(dir))
	return dir
}

// PlantSmallTree imports the companies and sessions of SmallTree.
func PlantSmallTree(t *testing.T, at Place) {
	t.Helper()
	ImportLinesInto(t, at,
		CompanyLine(1, 0), CompanyLine(2, 1), CompanyLine(3, 1), CompanyLine(9, 0),
		SessionLine("a", 1, `"name": "Ann Ó Briain", "createdAt": "2018-05-27T21:30:54Z", "startedAt": "2018-05-27T21:30:54Z"`),
		SessionLine("b", 2, `"name": "Bob", "whatsappPhone": "79991234567", "createdAt": "2019-01-01T00:00:00Z", "startedAt": "2019-01-01T00:00:00Z"`),
		SessionLine("c", 2, `"name": "Семён Воробьёв", "clientId": "client-77", "createdAt": "2020-01-01T00:00:00Z"`),
		SessionLine("d", 3, `"name": "Zoë", "createdAt": "2018-05-27T21:30:53.999Z", "startedAt": "2021-01-01T00:00:00Z"`),
		SessionLine("x", 9, `"name": "Bob", "whatsappPhone": "79991234567", "clientId": "client-77", "createdAt": "2019-01-01T00:00:00Z"`),
	)
}

// CountOf is the count of a company's sessions, and how its page was come by.
func CountOf(t *testing.T, g *Gateway, company int) (count int64, status string) {
	t.Helper()
	r := g.Get(t, fmt.Sprintf("/api/v1/sessions?companyId=%d", company), g.Supervisor(t, 1))
	return r.Page(t).Count, r.Header.Get("Cache-Status")
}

// IsPageHit reports whether a Cache-Status is that of a page from the cache.
func IsPageHit(status string) bool { return strings.Contains(status, "scopegate-page; hit") }

// SessionChange stores a session of the company, or moves it there.
func SessionChange(t *testing.T, id string, company int) session.Change {
	t.Helper()
	doc, err := session.Parse(fmt.Appendf(nil, `{"id": %q, "companyId": %d}`, id, company))
	if err != nil {
		t.Fatal(err)
	}
	return session.Change{Kind: session.KindSession, Session: doc}
}
