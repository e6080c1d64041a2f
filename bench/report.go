package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// table is one part of the report.
type table struct {
	title string
	note  string // before the table
	head  []string
	rows  [][]string
}

// markdown writes the table with its title.
func (t table) markdown(b *bytes.Buffer) {
	fmt.Fprintf(b, "### %s\n\n%s\n\n", t.title, t.note)
	row := func(cells []string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | ")) }
	row(t.head)
	b.WriteString(strings.Repeat("|---", len(t.head)) + "|\n")
	for _, cells := range t.rows {
		row(cells)
	}
	b.WriteByte('\n')
}

// markdown is the command, what it ran on, and its tables.
func markdown(command, about string, tables []table) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "```sh\n%s\n```\n\n%s\n\n", command, about)
	for _, t := range tables {
		t.markdown(&out)
	}
	return out.Bytes()
}

// target is the command of a run, with what is not as it is by default.
func target(name string, sessions, seconds int) string {
	command := "make " + name
	if sessions != defaultSessions {
		command += fmt.Sprintf(" SESSIONS=%d", sessions)
	}
	if seconds != defaultSeconds {
		command += fmt.Sprintf(" SECONDS=%d", seconds)
	}
	return command
}

// publish prints the report of a command and, unless page is "", writes it into
// the command's block there.
func publish(to io.Writer, page, command string, report []byte) error {
	if _, err := to.Write(report); err != nil || page == "" {
		return err
	}
	return blockOf(command).write(page, report)
}

// block is the part of a page of the documentation that a command writes,
// between two lines.
type block struct{ begin, end string }

// blockOf is a command's.
func blockOf(command string) block {
	return block{begin: "<!-- " + command + ":begin -->", end: "<!-- " + command + ":end -->"}
}

var errNoBlock = errors.New("has no block of the command's")

// replace puts the text between the markers.
func (b block) replace(page, text []byte) ([]byte, error) {
	head, rest, ok1 := bytes.Cut(page, []byte(b.begin))
	_, tail, ok2 := bytes.Cut(rest, []byte(b.end))
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("%w: %s … %s", errNoBlock, b.begin, b.end)
	}
	return bytes.Join([][]byte{head, []byte(b.begin + "\n\n"), bytes.TrimSpace(text), []byte("\n\n" + b.end), tail}, nil), nil
}

// write writes the report into the page.
func (b block) write(path string, report []byte) error {
	page, err := os.ReadFile(path) // #nosec G304 -- the user names it
	if err != nil {
		return err
	}
	if page, err = b.replace(page, report); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, page, 0o644) // #nosec G306 -- a page of the documentation
}

// processor names the machine's cores.
func processor() string {
	model := runtime.GOARCH
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d cores (%s)", runtime.NumCPU(), model)
}

// milliseconds in as many digits as mean something.
func milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms < 10 && ms > -10:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 100:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return thousands(int(ms+0.5)) + " ms"
}

// thousands writes a number that is not negative with commas.
func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// times writes a ratio.
func times(r float64) string { return fmt.Sprintf("%.2f", r) }
