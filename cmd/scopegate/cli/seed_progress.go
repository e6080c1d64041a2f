package cli

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
	return newBar(to, what, of, progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(what))
}

// newByteBar is a newCountBar of bytes.
func newByteBar(to io.Writer, what string) countBar {
	return newBar(to, what, -1, progressbar.OptionShowBytes(true))
}

func newBar(to io.Writer, what string, of int, unit ...progressbar.Option) countBar {
	if !isTerminal(to) {
		return countBar{show: func(int, int) {}, done: func() {}}
	}
	return drawBar(to, what, of, unit...)
}

func isTerminal(w any) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func drawBar(to io.Writer, what string, of int, unit ...progressbar.Option) countBar {
	bar := progressbar.NewOptions(of, append([]progressbar.Option{
		progressbar.OptionSetWriter(to),
		progressbar.OptionSetDescription(what),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // it would draw from a goroutine of its own
		progressbar.OptionSetRenderBlankState(false),
		progressbar.OptionClearOnFinish(),
	}, unit...)...)
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
