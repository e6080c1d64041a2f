package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
)

// Options say what to fetch and where it goes.
type Options struct {
	Query     Query
	MediaType string // of the answer, without parameters
	Kind      Kind
	Order     Order
	To        io.Writer // nil: the file of Path
	Path      string
	Force     bool // overwrite what is there
	Resume    bool // go on with a part, if there is one
	// Progress is told now and then; nil: nobody is.
	Progress func(Progress)
}

// Progress is how much of the answer at hand has come.
type Progress struct {
	Rows, Total int64 // negative: not known
	Bytes       int64
}

// Result is what is there when all has come.
type Result struct {
	Rows      int64
	Bytes     int64
	Snapshots int   // that the rows are of
	CutCells  int64 // that were too long for their format
}

// chunkSize is what is read and written at a time.
const chunkSize = 256 << 10

// fetch is one export on its way.
type fetch struct {
	o         Options
	query     Query // what is asked for now; nil: nothing is left to ask for
	requested note  // what the first query is, of which gateway and as which account
	tally     *tally
	lock      *lock
	part      *part // nil: there is no file, or not yet
	start     int64 // bytes of it that were there before
	total     int64
	rows      int64 // that the answer says it has
	cut       int64
	out       buffer
}

// Fetch fetches an export, and returns nil only when all of it is there.
//
// Errors: ErrExists, ErrBusy, ErrNotResumable, ErrOtherExport, when nothing was asked;
// *AnswerError when the gateway gives another answer; *IncompleteError when a
// part of it has come; or why there is no answer. Unless a part of it has come,
// files that were there are as they were.
func (c *Client) Fetch(ctx context.Context, o Options) (_ Result, err error) {
	digest, err := o.Query.digest()
	if err != nil {
		return Result{}, err
	}
	f := &fetch{
		o: o, query: o.Query, tally: newTally(o.Kind, o.Order),
		requested: note{Query: digest, Gateway: gatewayOf(c.o.Gateway), Account: accountOf(c.o.Token)},
	}
	defer func() { err = errors.Join(err, f.lock.release()) }()
	if err := f.open(); err != nil {
		return Result{}, err
	}
	if f.query == nil {
		return f.result(f.part.cut(f.start))
	}
	response, err := c.ask(ctx, f.query, o.MediaType)
	if ctx.Err() != nil && err != nil {
		err = ctx.Err() // what the connection makes of it tells less
	}
	if err != nil {
		return Result{}, errors.Join(err, f.part.drop())
	}
	defer func() { _ = response.Body.Close() }() // it is read to its end, or broken
	if err := f.begin(); err != nil {
		return Result{}, errors.Join(err, f.part.drop())
	}
	if err := f.receive(response); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return Result{}, f.broken(err)
	}
	return f.result(nil)
}

// open looks at the files there are, and makes those that are needed. None that
// was there is changed.
func (f *fetch) open() (err error) {
	if f.o.Resume {
		if err := f.canResume(); err != nil {
			return err
		}
	}
	if f.o.To != nil {
		return nil
	}
	if err := checkTarget(f.o.Path, f.o.Force); err != nil {
		return err
	}
	if err := checkOwn(f.o.Path); err != nil {
		return err
	}
	if f.lock, err = acquire(f.o.Path); err != nil {
		return err
	}
	if f.o.Resume {
		err := f.reopen()
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	} else if !f.o.Force {
		if err := checkNoPart(f.o.Path); err != nil {
			return err
		}
	}
	f.part, err = newPart(f.o.Path, f.requested)
	return err
}

// ErrNotResumable marks what cannot be gone on with, whatever is there.
var ErrNotResumable = errors.New("cannot be resumed")

func (f *fetch) canResume() error {
	if f.o.To != nil {
		return fmt.Errorf("a stream %w: name a file", ErrNotResumable)
	}
	if err := f.tally.resumable(); err != nil {
		return fmt.Errorf("this %w: %w", ErrNotResumable, err)
	}
	if fields, ok := f.query["fields"].([]string); ok && !slices.Contains(fields, idField) {
		return fmt.Errorf("this %w: %w", ErrNotResumable, errNoIDs)
	}
	return nil
}

// reopen asks for what is left. A part without a row says nothing about where to
// go on, and is begun anew.
//
// Errors: fs.ErrNotExist, and those of openPart.
func (f *fetch) reopen() (err error) {
	part, err := openPart(f.o.Path, f.requested, f.tally)
	if err != nil {
		return err
	}
	if f.tally.rows == 0 {
		f.part, f.tally = part, newTally(f.o.Kind, f.o.Order)
		return nil
	}
	if err := f.tally.resumable(); err != nil {
		return errors.Join(fmt.Errorf("%s %w: %w", partOf(f.o.Path), ErrNotResumable, err), part.suspend())
	}
	rest, ok := f.query.behind(f.tally.last, f.tally.rows)
	if f.query = rest; !ok {
		f.query = nil
	} else if err := part.stage(); err != nil {
		return errors.Join(err, part.suspend())
	}
	f.part, f.start = part, f.tally.bytes
	f.tally.resume()
	return nil
}

// begin makes the part what the answer is written behind, now that there is one.
// An incomplete row is cut off, and a part that is overwritten goes.
func (f *fetch) begin() error {
	if f.out.to = f.o.To; f.o.To != nil {
		return nil
	}
	if err := f.part.begin(); err != nil {
		return err
	}
	f.out.to = f.part.file
	return f.part.cut(f.start)
}

// receive reads the answer to its end.
func (f *fetch) receive(r *http.Response) error {
	f.total = totalOf(r)
	chunk := make([]byte, chunkSize)
	for {
		n, err := r.Body.Read(chunk)
		if err := f.take(chunk[:n]); err != nil {
			return err
		}
		f.reportProgress()
		if errors.Is(err, io.EOF) {
			return f.check(r)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errInterrupted, err)
		}
	}
}

// take writes the whole records that have come.
func (f *fetch) take(b []byte) error {
	if f.o.Kind == Opaque {
		f.tally.bytes += int64(len(b))
		_, err := f.out.to.Write(b)
		return err
	}
	// The rows before one that is none are counted, so they are written.
	return errors.Join(f.tally.take(b, f.accept), f.out.flush())
}

// accept takes a record into the file. Its first one of another snapshot makes it
// a file of one more.
func (f *fetch) accept(record []byte) error {
	if f.start > 0 && f.tally.fresh() == 1 {
		if err := f.part.countSnapshot(); err != nil {
			return err
		}
	}
	_, err := f.out.Write(record)
	return err
}

func (f *fetch) reportProgress() {
	if f.o.Progress == nil {
		return
	}
	p := Progress{Rows: f.tally.fresh(), Total: -1, Bytes: f.tally.bytes - f.start}
	if f.o.Kind == Opaque {
		p.Rows = -1
	} else if n, ok := f.o.Query.rows(f.total); ok {
		p.Total = max(n-f.tally.before, p.Rows)
	}
	f.o.Progress(p)
}
