package main

import (
	"bytes"
	"errors"
	"fmt"
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

// The block of the documentation that a run writes.
const (
	blockBegin = "<!-- bench:begin -->"
	blockEnd   = "<!-- bench:end -->"
)

var errNoBlock = errors.New("has no block between " + blockBegin + " and " + blockEnd)

// replaceBlock puts the text between the markers.
func replaceBlock(page, text []byte) ([]byte, error) {
	head, rest, ok1 := bytes.Cut(page, []byte(blockBegin))
	_, tail, ok2 := bytes.Cut(rest, []byte(blockEnd))
	if !ok1 || !ok2 {
		return nil, errNoBlock
	}
	return bytes.Join([][]byte{head, []byte(blockBegin + "\n\n"), bytes.TrimSpace(text), []byte("\n\n" + blockEnd), tail}, nil), nil
}

// writeBlock writes the report into the page.
func writeBlock(path string, report []byte) error {
	page, err := os.ReadFile(path) // #nosec G304 -- the user names it
	if err != nil {
		return err
	}
	if page, err = replaceBlock(page, report); err != nil {
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
