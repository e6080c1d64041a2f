package download

import (
	"errors"
	"fmt"
	"net/http"
)

// Why what has come is not whole.
var (
	errInterrupted = errors.New("the transfer was broken off")
	errPartialRow  = errors.New("the file ends within a row")
	errNoTrailer   = errors.New("nothing vouches that the file is whole: the trailer X-Row-Count is missing (a proxy in between may take trailers away)")
	errTwoCounts   = errors.New("the answer has two trailers of one name that differ (a proxy in between may add one)")
	errDisagrees   = errors.New("the file is not the one that the gateway sent")
)

// check looks whether all has come, now that the body has ended where its framing
// says.
func (f *fetch) check(r *http.Response) error {
	if f.o.Kind != Opaque && !f.tally.complete() {
		return errPartialRow
	}
	rows, ok := only(r.Trailer, "X-Row-Count")
	cut, same := only(r.Trailer, "X-Truncated-Cells")
	if !ok || !same {
		return errTwoCounts
	}
	if f.rows = count(rows); f.rows < 0 {
		return errNoTrailer
	}
	if came := f.tally.fresh(); f.o.Kind != Opaque && came != f.rows {
		return fmt.Errorf("%w: %d rows have come, of %d", errDisagrees, came, f.rows)
	}
	if want, ok := f.query.rows(f.total); ok && want != f.rows {
		return fmt.Errorf("%w: it has %d rows, where %d match", errDisagrees, f.rows, want)
	}
	f.cut = max(count(cut), 0)
	return nil
}

// IncompleteError says that a part has come, and what is there of it.
type IncompleteError struct {
	Why  error
	Part string // where it is; "": nothing was kept, or what has come went into a stream
	Rows int64  // that are there; negative: not known
	// NotResumable is nil when the part can be gone on with.
	NotResumable error
}

// Error implements error.
func (e *IncompleteError) Error() string { return "the export is not whole: " + e.Why.Error() }

// Unwrap gives the reason.
func (e *IncompleteError) Unwrap() error { return e.Why }

// broken leaves what is good for something: a part that can be gone on with.
func (f *fetch) broken(why error) error {
	e := &IncompleteError{Why: why, Rows: -1, NotResumable: f.tally.resumable()}
	if f.o.Kind != Opaque {
		e.Rows = f.tally.rows
	}
	if f.part == nil {
		return e
	}
	if untrusted(why) { // what was there before is as good as it was
		e.Rows = f.tally.before
		if err := f.part.cut(f.start); err != nil {
			e.Why = errors.Join(why, err)
		}
	}
	if e.NotResumable == nil && e.Rows > 0 || f.start > 0 {
		e.Part = partOf(f.o.Path)
		e.Why = errors.Join(e.Why, f.part.suspend())
		return e
	}
	e.Rows = 0
	e.Why = errors.Join(e.Why, f.part.discard())
	return e
}

// untrusted reports whether any of the rows that have come may be wrong.
func untrusted(why error) bool {
	for _, of := range []error{errDoubled, errOtherColumns, errDisagrees, errRecordTooLong} {
		if errors.Is(why, of) {
			return true
		}
	}
	return false
}

// result is what is there, now that nothing is missing.
func (f *fetch) result(err error) (Result, error) {
	if err != nil {
		return Result{}, err
	}
	r := Result{Rows: f.tally.before + f.rows, Bytes: f.tally.bytes, Snapshots: 1, CutCells: f.cut}
	if f.part != nil {
		r.Snapshots = f.part.note.Snapshots
		err = f.part.finish(f.o.Force)
	}
	return r, err
}
