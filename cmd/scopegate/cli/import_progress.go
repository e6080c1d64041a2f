package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/scopegate/scopegate/search/ingest"
)

// progress is what is shown while an input is being read.
type progress struct {
	show func(ingest.Progress) // nil: nothing
	done func()
}

var noProgress = progress{done: func() {}}

// newProgressBar draws on a terminal, and nothing where nobody watches.
func newProgressBar(to io.Writer, source *ingest.Source) progress {
	if !isTerminal(to) {
		return noProgress
	}
	name := filepath.Base(source.Name())
	bar := progressbar.NewOptions64(source.Size(),
		progressbar.OptionSetWriter(to),
		progressbar.OptionSetDescription(name),
		progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // it would draw from a goroutine of its own
		progressbar.OptionClearOnFinish(),
	)
	// A terminal that cannot be drawn on is no reason to stop an import.
	return progress{
		show: func(p ingest.Progress) {
			bar.Describe(fmt.Sprintf("%s, %d lines", name, p.Lines))
			_ = bar.Set64(p.Bytes)
		},
		done: func() { _ = bar.Finish() },
	}
}
