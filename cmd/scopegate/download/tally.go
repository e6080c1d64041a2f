package download

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// errDoubled marks rows that no single question is answered with: an id twice,
// or rows behind a resumption that do not come behind those before it.
var errDoubled = errors.New("an id is there twice, or out of order")

var errNoIDs = errors.New("only rows with their id can be; add id to fields")

// errNoRow marks a record that is none of the format's, as the page of a proxy
// that stands behind the rows. The rows before it are good.
var errNoRow = errors.New("what has come is no row of an export")

// errOtherColumns marks an answer that does not go on with the same table.
var errOtherColumns = errors.New("the gateway's columns are not those of the file")

// Order is the order of the ids that was asked for.
type Order int

// The orders. In the first two an id that is there twice cannot hide: each id
// must lie behind the one before, so that nothing of the file need be kept in
// memory to know.
const (
	Ascending  Order = 1
	Descending Order = -1
	ByOther    Order = 0 // by something else than ids
)

// tally counts the records of a file, and looks at their ids.
type tally struct {
	kind  Kind
	order Order
	split splitter

	head   []byte // of a Table
	column int    // of the id in a Table
	cells  int    // of each of its records
	rows   int64
	bytes  int64 // of whole records, the head's among them
	last   string
	noIDs  bool // the rows have none, or not all
	mixed  bool // the ids are not in order

	before int64 // rows of answers before this one
	again  bool  // the head comes once more
}

func newTally(kind Kind, order Order) *tally {
	return &tally{kind: kind, order: order, noIDs: kind == Sheet, split: newSplitter(kind)}
}

// headed reports whether a head comes before the rows.
func (t *tally) headed() bool { return t.kind == Table || t.kind == Sheet }

// take reads on. Each record that belongs into the file, a Table's head too, is
// looked at and then handed on.
func (t *tally) take(b []byte, each func(record []byte) error) error {
	return t.split.split(b, func(record []byte) error {
		switch {
		case t.again:
			t.again = false
			if !bytes.Equal(record, t.head) {
				return errOtherColumns
			}
			return nil
		case t.headed() && t.head == nil:
			t.head = bytes.Clone(record)
			t.column = idColumn(record)
			t.cells = cells(record, t.comma())
			t.noIDs = t.noIDs || t.column < 0
		default:
			if err := t.row(record); err != nil {
				return err
			}
		}
		t.bytes += int64(len(record))
		return each(record)
	})
}

// resume expects rows of another answer behind those so far. What was torn is
// forgotten.
func (t *tally) resume() {
	t.split = newSplitter(t.kind)
	t.before, t.again = t.rows, t.headed()
}

// comma stands between the cells of a Table.
func (t *tally) comma() byte {
	if t.kind == Sheet {
		return ';'
	}
	return ','
}

// checkRow looks whether a record has the form of a row.
func (t *tally) checkRow(record []byte) error {
	if t.kind == Lines && !isObject(record) {
		return fmt.Errorf("%w: line %d is no JSON object", errNoRow, t.rows+1)
	}
	if t.headed() && cells(record, t.comma()) != t.cells {
		return fmt.Errorf("%w: row %d has not the %d cells of the header", errNoRow, t.rows+1, t.cells)
	}
	return nil
}

// row counts one.
func (t *tally) row(record []byte) error {
	if err := t.checkRow(record); err != nil {
		return err
	}
	if !t.noIDs {
		id, ok := t.id(record)
		if t.noIDs = !ok; ok && t.rows > 0 {
			if err := t.compare(id); err != nil {
				return err
			}
		}
		t.last = id
	}
	t.rows++
	return nil
}

func (t *tally) id(record []byte) (string, bool) {
	if t.kind == Table {
		id, ok := cell(record, t.column)
		return id, ok && id != ""
	}
	return lineID(record)
}

// compare holds an id against the one before.
func (t *tally) compare(id string) error {
	switch way := Order(strings.Compare(id, t.last)); {
	case way == 0:
		return fmt.Errorf("%w: row %d has the id of the row before", errDoubled, t.rows+1)
	case way == t.order || t.order == ByOther:
		return nil
	case t.before > 0:
		return fmt.Errorf("%w: row %d does not come behind the row before", errDoubled, t.rows+1)
	}
	t.mixed = true
	return nil
}

// complete reports whether what was read ends with a record, and has its head.
func (t *tally) complete() bool {
	return len(t.split.partial) == 0 && !t.again && (!t.headed() || t.head != nil)
}

// fresh is how many rows the answer at hand has brought.
func (t *tally) fresh() int64 { return t.rows - t.before }

// resumable is nil, or says why nothing can go on behind the last row.
func (t *tally) resumable() error {
	switch {
	case t.kind != Lines && t.kind != Table:
		return errors.New("only NDJSON and CSV can be, not zipped")
	case t.order == ByOther:
		return errors.New("only what is sorted by id, or not at all, can be")
	case t.noIDs:
		return errNoIDs
	case t.mixed:
		return errors.New("its rows are not in the order of their ids")
	}
	return nil
}
