package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// countBar shows how many of how many are done.
type countBar struct {
	show func(done, of int)
	done func()
}

// newCountBar draws on a terminal, and nothing where nobody watches.
func newCountBar(to io.Writer, what string, of int) countBar {
	file, ok := to.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return countBar{show: func(int, int) {}, done: func() {}}
	}
	bar := progressbar.NewOptions(of,
		progressbar.OptionSetWriter(file),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // it would draw from a goroutine of its own
		progressbar.OptionSetRenderBlankState(false),
		progressbar.OptionClearOnFinish(),
	)
	// A terminal that cannot be drawn on is no reason to stop.
	return countBar{
		show: func(done, of int) {
			if of != bar.GetMax() { // a seeding goes on that was begun with another number
				bar.ChangeMax(of)
			}
			_ = bar.Set(done)
		},
		done: func() { _ = bar.Clear() },
	}
}
