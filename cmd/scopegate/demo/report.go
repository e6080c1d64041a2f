package demo

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/rivo/uniseg"
)

// Report is what the demo shows whoever has started it, on the terminal and at
// "/" alike.
type Report struct {
	URL      string // of the API, http://HOST:PORT
	AdminURL string // of the admin listener
	Data     string // the data folder
	Sessions int
	Cold     SearchResult // the search when nothing was cached
	Warm     SearchResult // the same again
}

// Companies is how many companies the demo has.
func (Report) Companies() int { return companyCount }

// Account is whom the demo searched as.
func (Report) Account() Account { return Supervisor() }

// Accounts are all who may log in.
func (Report) Accounts() []Account { return Accounts() }

// Query is what was searched.
func (Report) Query() string { return "GET " + shownQuery }

// Curl is one line to paste: it logs in and searches.
func (t Report) Curl() string {
	return t.search("$("+t.loginCurl()+")", "--data-urlencode 'keyword=weiss'")
}

// KeepToken is a line after which the lines of Curls can be pasted.
func (t Report) KeepToken() string { return "TOKEN=$(" + t.loginCurl() + ")" }

// Hint is something to try.
type Hint struct {
	Shows   string
	Command string
}

// Curls are further lines.
func (t Report) Curls() []Hint {
	return []Hint{
		{"A phone, written in any way", t.search("$TOKEN", "--data-urlencode 'keyword=+49 (171) 392-00'")},
		{"Who waits for an answer", t.search("$TOKEN", "-d status=WAITING")},
		{"A new signing key; tokens live on", "curl -s -X POST " + t.URL + "/dev/iam/rotate"},
	}
}

// loginCurl prints a token. It needs no more than a POSIX shell, curl and sed.
func (t Report) loginCurl() string {
	a := Supervisor()
	return fmt.Sprintf(`curl -s %s%s -d '{"email":"%s","password":"%s"}' | sed 's/.*"token":"\([^"]*\)".*/\1/'`,
		t.URL, loginPath, a.Email, a.Password)
}

func (t Report) search(token, arguments string) string {
	return fmt.Sprintf(`curl -sG %s/api/v1/sessions -H "Authorization: Bearer %s" -d showAllSupervised=true -d limit=3 `+
		`-d fields=name,whatsappPhone,companyName,startedAt %s`, t.URL, token, arguments)
}

// Trace is where the spans of a search can be looked at; "" when there are
// none.
func (t Report) Trace(s SearchResult) string {
	if s.TraceID == "" || t.AdminURL == "" {
		return ""
	}
	return t.AdminURL + "/debug/traces/" + s.TraceID
}

// WriteText writes the report for a terminal.
func (t Report) WriteText(out io.Writer) error {
	var b strings.Builder
	a := t.Account()
	fmt.Fprintf(&b, "\nA search as %s, who supervises %s and all below it:\n%s\n\n", a.Email, a.CompanyName, t.Query())
	writeTable(&b, t.Table())
	fmt.Fprintf(&b, "\n  %s sessions match.\n\n", grouped(t.Warm.Count))
	for _, s := range t.Searches() {
		fmt.Fprintf(&b, "  %-5s %8s   Cache-Status: %s\n", s.Label, s.Took, s.CacheStatus)
		fmt.Fprintf(&b, "  %-5s %8s   Server-Timing: %s\n", "", "", s.Timing)
		if trace := t.Trace(s.SearchResult); trace != "" {
			fmt.Fprintf(&b, "  %-5s %8s   spans: %s\n", "", "", trace)
		}
	}
	b.WriteString("\nAccounts:\n\n")
	writeTable(&b, t.AccountTable())
	fmt.Fprintf(&b, "\nTry a name without its marks (it finds Weiß, too):\n\n  %s\n", t.Curl())
	fmt.Fprintf(&b, "\nKeep the token for more:\n\n  %s\n", t.KeepToken())
	for _, hint := range t.Curls() {
		fmt.Fprintf(&b, "\n%s:\n\n  %s\n", hint.Shows, hint.Command)
	}
	fmt.Fprintf(&b, "\nThe API, with a form to try it:  %s/docs\nThis page:                       %s/\n", t.URL, t.URL)
	fmt.Fprintf(&b, "Health, metrics and traces:      %s/readyz  /metrics  /debug/traces\n", t.AdminURL)
	fmt.Fprintf(&b, "The data (delete it to start anew):  %s\n\n", t.Data)
	_, err := io.WriteString(out, b.String())
	return err
}

// LabelledSearch is a search with what it shows.
type LabelledSearch struct {
	SearchResult
	Label string
	Took  string
}

// Searches are the cold one and the warm one.
func (t Report) Searches() []LabelledSearch {
	return []LabelledSearch{
		{t.Cold, "cold", milliseconds(t.Cold.Took)},
		{t.Warm, "warm", milliseconds(t.Warm.Took)},
	}
}

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64) + " ms"
}

// Table is the first rows, under a row of headings.
func (t Report) Table() [][]string {
	rows := [][]string{{"STARTED (UTC)", "COMPANY", "NAME", "MESSENGER", "PHONE", "STATUS"}}
	for _, r := range t.Warm.Rows {
		started, _, _ := strings.Cut(strings.Replace(r.StartedAt, "T", " ", 1), ".")
		rows = append(rows, []string{started, r.CompanyName, r.Name, r.MessengerType, r.WhatsappPhone, r.Status})
	}
	return rows
}

// AccountTable is who may log in, under a row of headings.
func (t Report) AccountTable() [][]string {
	rows := [][]string{{"E-MAIL", "PASSWORD", "COMPANY", "IS THERE AS"}}
	for _, a := range t.Accounts() {
		company := fmt.Sprintf("%d %s", a.CompanyID, a.CompanyName)
		rows = append(rows, []string{a.Email, a.Password, company, a.About})
	}
	return rows
}

// writeTable aligns by what a terminal shows, not by bytes: wide characters
// take two cells, marks none.
func writeTable(b *strings.Builder, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString("  " + cell + strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell)))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// grouped writes a number with its thousands set apart.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
