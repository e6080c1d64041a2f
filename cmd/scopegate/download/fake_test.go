package download

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeGateway answers as the contract says, and fails as it is told to.
type fakeGateway struct {
	url *url.URL

	mu            sync.Mutex
	rows          []session // in the order of ids
	cutAt         int       // bytes of the body after which the transfer breaks; negative: none
	cutWithin     int       // the row, from 1, within which it breaks; 0: none
	trailer       func(rows int) string
	header        func(h http.Header)
	extra         string           // in the body behind the rows
	first         http.HandlerFunc // answers instead, once
	asked         []map[string]any
	columns       string // the head of a CSV
	ignoresResume bool
}

// quietLog is for servers that are meant to fail.
func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }

// fakeToken is no JWT.
const fakeToken = "secret-token"

type session struct{ id, name string }

func newFake(t *testing.T, rows ...session) *fakeGateway {
	t.Helper()
	g := &fakeGateway{rows: rows, cutAt: -1, trailer: strconv.Itoa, columns: "id,name"}
	server := httptest.NewUnstartedServer(g)
	server.Config.ErrorLog = quietLog()
	server.Start()
	t.Cleanup(server.Close)
	g.url, _ = url.Parse(server.URL)
	return g
}

// hardRows have everything in them that could be mistaken for the end of a row.
func hardRows() []session {
	return []session{
		{"a-1", "Анна \"К\"\r\n😀"}, {"b,2", "one\ntwo, three"}, {"c\"3", "\"\r\n\""}, {"ы-4", "plain"},
	}
}

// ServeHTTP implements http.Handler.
func (g *fakeGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	var q map[string]any
	_ = json.Unmarshal(body, &q)
	g.asked = append(g.asked, q)
	if first := g.first; first != nil {
		g.first = nil
		first(w, r)
		return
	}
	rows := g.matching(q)
	file, mediaType := g.file(q["format"].(string), rows)
	file = append(file, g.extra...)
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("X-Total-Count", strconv.Itoa(len(g.rows)))
	h.Set("Trailer", "X-Row-Count")
	if g.header != nil {
		g.header(h)
	}
	w.WriteHeader(http.StatusOK)
	cut := g.cutAt
	if g.cutWithin > 0 {
		before, _ := g.file(q["format"].(string), rows[:g.cutWithin])
		cut = len(before) - 3
	}
	if cut < 0 || cut > len(file) {
		cut = len(file)
	}
	_, _ = w.Write(file[:cut])
	_ = http.NewResponseController(w).Flush()
	if g.cutAt >= 0 || g.cutWithin > 0 {
		panic(http.ErrAbortHandler)
	}
	if text := g.trailer(len(rows)); text != "" {
		h["X-Row-Count"] = strings.Fields(text)
	}
}

func (g *fakeGateway) matching(q map[string]any) []session {
	rows := slices.Clone(g.rows)
	descending := false
	if sort, ok := q["sort"].([]any); ok && sort[0] == "-id" {
		descending = true
		slices.Reverse(rows)
	}
	if after, ok := q["resumeAfter"].(string); ok && !g.ignoresResume {
		rows = slices.DeleteFunc(rows, func(s session) bool { return s.id == after || (s.id < after) != descending })
	}
	if n, ok := q["offset"].(float64); ok {
		rows = rows[int(n):]
	}
	if n, ok := q["limit"].(float64); ok {
		rows = rows[:min(len(rows), int(n))]
	}
	return rows
}

func (g *fakeGateway) file(format string, rows []session) (file []byte, mediaType string) {
	var b bytes.Buffer
	quoted := func(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }
	switch format {
	case "CSV":
		b.WriteString(g.columns + "\r\n")
		for _, s := range rows {
			fmt.Fprintf(&b, "%s,%s\r\n", quoted(s.id), quoted(s.name))
		}
		return b.Bytes(), "text/csv; charset=utf-8; header=present"
	case "NDJSON":
		for _, s := range rows {
			line, _ := json.Marshal(struct {
				ID   string `json:"id"`
				Name string `json:"name"`
			}{s.id, s.name})
			b.Write(append(line, '\n'))
		}
		return b.Bytes(), "application/x-ndjson"
	}
	for _, s := range rows {
		b.WriteString(s.id)
	}
	return b.Bytes(), "application/zip"
}

// change tells the gateway how to go on.
func (g *fakeGateway) change(change func(g *fakeGateway)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
}

func (g *fakeGateway) lastAsked() map[string]any {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked[len(g.asked)-1]
}

func (g *fakeGateway) client(t *testing.T) *Client {
	t.Helper()
	return g.clientAs(t, fakeToken)
}

func (g *fakeGateway) clientAs(t *testing.T, token string) *Client {
	t.Helper()
	c := NewClient(ClientOptions{Gateway: g.url, Token: token})
	t.Cleanup(c.Close)
	return c
}

// options fetch a format into a new file.
func options(t *testing.T, format string) Options {
	t.Helper()
	o := Options{Query: Query{"format": format}, Order: Ascending, Path: filepath.Join(t.TempDir(), "file")}
	switch format {
	case "CSV":
		o.Kind, o.MediaType = Table, "text/csv"
	case "NDJSON":
		o.Kind, o.MediaType = Lines, "application/x-ndjson"
	default:
		o.MediaType = "application/zip"
	}
	return o
}

// content is what a file holds; "(none)" when it is not there.
func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path) // #nosec G304 -- a file of the test's
	if os.IsNotExist(err) {
		return "(none)"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
