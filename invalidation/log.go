package invalidation

import (
	"context"
	"time"

	"github.com/scopegate/scopegate/tenancy"
)

// Log is where writers publish whose sessions they have changed, after the write:
// a search that begins after an event was read sees the change. A Follower
// reads one with a single goroutine.
type Log interface {
	// Next returns what follows an offset; the zero Offset is the first that is
	// asked for. If nothing does, it waits for a while, clearly less than Silence,
	// and then returns a Batch without events. Any error is tried again.
	Next(ctx context.Context, at Offset) (Batch, error)
}

// Position is a place in a log: that after the event of this number.
type Position struct {
	// Epoch is one life of the log. Sequences of different epochs have nothing
	// to do with each other. "": the position is not known.
	Epoch    string
	Sequence uint64
}

// Known reports whether it is a position at all.
func (p Position) Known() bool { return p.Epoch != "" }

// Offset is a position and where the log finds it again.
type Offset struct {
	Position

	Cursor string // the log's own, "" if it needs none
}

// Batch is what a log has after an offset.
type Batch struct {
	Offset // after the events
	// Complete is the sequence after which no event is missing: that of the offset
	// asked for, unless something was lost or no offset was given.
	Complete uint64
	Events   []Event // by ascending sequence
	// Age is how long ago, at most, the log said that there was no other event.
	Age time.Duration
}

// Event says that sessions of these companies were written, moved or deleted.
type Event struct {
	Sequence  uint64
	Companies []tenancy.CompanyID
	All       bool // of whichever company
}
