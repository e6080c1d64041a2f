package cli

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar shows on a terminal how far a command is, and nothing anywhere else. The zero
// bar shows nothing.
type bar struct{ drawn *progressbar.ProgressBar }

// newCountBar counts things, of so many; -1 when that is not known.
func newCountBar(to io.Writer, what string, of int) bar {
	return newBar(to, what, int64(of), progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(what))
}

// newByteBar is a newCountBar of bytes.
func newByteBar(to io.Writer, what string, of int64) bar {
	return newBar(to, what, of, progressbar.OptionShowBytes(true))
}

func newBar(to io.Writer, what string, of int64, unit ...progressbar.Option) bar {
	if !isTerminal(to) {
		return bar{}
	}
	return drawBar(to, what, of, unit...)
}

func isTerminal(w any) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func drawBar(to io.Writer, what string, of int64, unit ...progressbar.Option) bar {
	return bar{progressbar.NewOptions64(of, append([]progressbar.Option{
		progressbar.OptionSetWriter(to),
		progressbar.OptionSetDescription(what),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // it would draw from a goroutine of its own
		progressbar.OptionSetRenderBlankState(false),
		progressbar.OptionClearOnFinish(),
	}, unit...)...)}
}

// describe changes what stands before the bar.
func (b bar) describe(what string) {
	if b.drawn != nil {
		b.drawn.Describe(what)
	}
}

// show draws how many are done, of how many. A terminal that cannot be drawn on is no
// reason to stop.
func (b bar) show(done, of int64) {
	if b.drawn == nil {
		return
	}
	if of != b.drawn.GetMax64() { // a seeding goes on that was begun with another number
		b.drawn.ChangeMax64(of)
	}
	_ = b.drawn.Set64(done)
}

// done removes the bar.
func (b bar) done() {
	if b.drawn != nil {
		_ = b.drawn.Clear()
	}
}
