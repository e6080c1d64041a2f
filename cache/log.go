package cache

import (
	"context"
	"time"

	"github.com/scopegate/scopegate/tenancy"
)

// Log is where writers tell whose sessions they have changed, behind the write:
// who searches after reading a touch sees what it stands for. A Cache follows
// one with a single goroutine.
type Log interface {
	// Next returns what follows a mark, the zero Mark being the first that is
	// asked for. If nothing does, it waits for a while, clearly less than two
	// seconds, and then says so with a News that has no touches. Any error is
	// tried again; a log that says nothing for two seconds is not believed.
	Next(ctx context.Context, at Mark) (News, error)
}

// Position is a place in a log: that behind the touch of this number.
type Position struct {
	// Epoch is one life of the log. Sequences of different epochs have nothing
	// to do with each other. "": the position is not known.
	Epoch    string
	Sequence uint64
}

func (p Position) known() bool { return p.Epoch != "" }

// Mark is a position and where the log finds it again.
type Mark struct {
	Position

	Cursor string // the log's own, "" if it needs none
}

// News is what a log has behind a mark.
type News struct {
	Mark // behind the touches
	// Complete is the sequence behind which no touch is missing: that of the
	// mark asked for unless something was lost, or there was none.
	Complete uint64
	Touches  []Touch // by ascending sequence
	// Age is how long ago, at most, the log said that this is all.
	Age time.Duration
}

// Touch says that sessions of these companies were written, moved or deleted.
type Touch struct {
	Sequence  uint64
	Companies []tenancy.CompanyID
	All       bool // of whichever company
}
