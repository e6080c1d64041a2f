package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/download"
)

// progress counts rows, and bytes where rows cannot be told apart.
func (c exportCommand) progress(to io.Writer) (shown bar, show func(download.Progress)) {
	switch {
	case c.Quiet:
	case c.kind() == download.Opaque:
		shown = newByteBar(to, c.Format, -1)
		show = func(p download.Progress) { shown.show(p.Bytes, -1) }
	default:
		shown = newCountBar(to, "rows", -1)
		show = func(p download.Progress) { shown.show(p.Rows, p.Total) }
	}
	return shown, show
}

func (c exportCommand) reportWaiting(to io.Writer, why error, wait time.Duration) {
	if !c.Quiet {
		// Whoever does not read this waits all the same.
		_, _ = fmt.Fprintf(to, "%v; asking again in %s\n", why, wait.Round(time.Second))
	}
}

// summarize tells what is there. What it could be taken for and is not is told in
// any case.
func (c exportCommand) summarize(to io.Writer, r download.Result) error {
	name := c.Out
	if name == stdinName {
		name = "standard output"
	}
	text := ""
	if !c.Quiet {
		text = fmt.Sprintf("%s: rows: %d, bytes: %d\n", name, r.Rows, r.Bytes)
	}
	if r.Snapshots > 1 {
		text += fmt.Sprintf("%s spans %d snapshots: it was resumed, so what was written to the gateway's data in between is in some of its rows and not in others. Each id is there once.\n", name, r.Snapshots)
	}
	if r.CutCells > 0 {
		text += fmt.Sprintf("%s: cells that were too long for a spreadsheet and are cut: %d\n", name, r.CutCells)
	}
	_, err := io.WriteString(to, text)
	return err
}

// failure says what is there and what to do.
func (c exportCommand) failure(err error) error {
	var said *download.AnswerError
	var part *download.IncompleteError
	switch {
	case errors.As(err, &part):
		return &exitError{ExitIncomplete, c.incomplete(part)}
	case errors.As(err, &said) && said.Refused():
		return &exitError{ExitRefused, c.resumable(err)}
	case errors.Is(err, download.ErrExists), errors.Is(err, download.ErrBusy),
		errors.Is(err, download.ErrNotResumable), errors.Is(err, download.ErrOtherExport):
		return &exitError{ExitUsage, err}
	case errors.Is(err, context.Canceled):
		return c.resumable(errors.New("interrupted before anything came"))
	}
	return c.resumable(err)
}

// resumable adds what a resumption need not fear for.
func (c exportCommand) resumable(err error) error {
	if !c.Resume {
		return err
	}
	return fmt.Errorf("%w\n%s.part, if it was there, is as it was", err, c.Out)
}

func (c exportCommand) incomplete(e *download.IncompleteError) error {
	var why error = e
	if errors.Is(e, context.Canceled) {
		why = errors.New("the export is not whole: interrupted")
	}
	switch {
	case c.Out == stdinName:
		return fmt.Errorf("%w\nwhat went to standard output%s is not all", why, rowsThere(e))
	case e.Part == "" && e.NotResumable != nil:
		return fmt.Errorf("%w\nnothing was kept, since it cannot be resumed: %w", why, e.NotResumable)
	case e.Part == "":
		return fmt.Errorf("%w\nnothing was kept", why)
	case e.NotResumable != nil:
		return fmt.Errorf("%w\n%s%s is not all, and cannot be resumed: %w; --force begins anew", why, e.Part, rowsThere(e), e.NotResumable)
	}
	return fmt.Errorf("%w\n%s%s is not all; the same command with --resume goes on behind it", why, e.Part, rowsThere(e))
}

func rowsThere(e *download.IncompleteError) string {
	if e.Rows < 0 {
		return ""
	}
	return fmt.Sprintf(" (rows: %d)", e.Rows)
}
