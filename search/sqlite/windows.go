package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// batchRows is the largest number of rows in a batch, however small they are.
const batchRows = 10_000

// windows reads an order in parts, each of them like a page that starts after the
// previous one. So it can take every access path that a page can take, and it never
// sorts more than one part at a time, in memory: a sort of everything would need
// temporary files, which would hold names and phone numbers. With an index on the
// order the parts cost nothing extra; without one each part costs a scan.
//
// Only the keys of a part stay in memory. The documents are read by key, one batch
// at a time.
type windows struct {
	guard   *logGuard
	mu      sync.Mutex  // held while r is used
	evicted atomic.Bool // the snapshot must end, and r be closed

	r       *reader // nil: not opened yet, or discarded
	planner *planner
	order   ordered // the part of the order that is not read yet
	fields  session.FieldSet
	count   int64
	left    int64 // rows that are still wanted
	size    int   // rows of the next part
	ended   bool  // no more parts

	part []place   // the rows of the current part
	at   int       // index of the next row in part
	docs *sql.Rows // their documents, from at on
}

var _ paging.Source = (*windows)(nil)

// place is what is kept in memory of a row.
type place struct {
	key     int64
	company tenancy.CompanyID
}

// Read implements paging.Source.
func (w *windows) Read(ctx context.Context, into *paging.Batch) error {
	w.guard.check() // another process may be the one that writes
	w.mu.Lock()
	defer w.unlock()
	if w.r == nil {
		return errSnapshotEnded
	}
	return w.read(ctx, into)
}

// evict ends the snapshot because the log is too long: at once, or as soon as its
// reader notices.
func (w *windows) evict() {
	w.evicted.Store(true)
	if w.mu.TryLock() {
		w.unlock()
	}
}

// unlock releases the lock, and closes the connection of an evicted snapshot.
func (w *windows) unlock() {
	for {
		if w.evicted.Load() {
			w.release()
		}
		w.mu.Unlock()
		// An eviction may have found the lock taken meanwhile.
		if !w.evicted.Load() || !w.mu.TryLock() {
			return
		}
		if w.r == nil {
			w.mu.Unlock()
			return
		}
	}
}

// release ends the transaction.
func (w *windows) release() {
	_ = w.closeDocs() // nothing that was read depends on it
	if w.r != nil {
		w.r.drop()
		w.r = nil
	}
}

func (w *windows) read(ctx context.Context, into *paging.Batch) error {
	into.Rows, into.Buffer = into.Rows[:0], into.Buffer[:0]
	var ends []int
	for len(into.Buffer) < paging.TargetBytes && len(ends) < batchRows {
		ok, err := w.document(ctx, into)
		if err != nil {
			return engineError(ctx, err)
		}
		if !ok {
			break
		}
		ends = append(ends, len(into.Buffer))
		if w.at == len(w.part) {
			break // finding the next part may take a while: return what there is
		}
	}
	if len(ends) == 0 {
		return io.EOF
	}
	return w.rows(into, ends)
}

// rows slices the buffer into rows. The buffer does not move any more.
func (w *windows) rows(into *paging.Batch, ends []int) error {
	from := 0
	for i, end := range ends {
		item, err := session.Project(into.Buffer[from:end:end], w.fields)
		if err != nil {
			return fmt.Errorf("sqlite: %w", err)
		}
		into.Rows[i].JSON = item
		from = end
	}
	return nil
}

// document appends the next document to the batch; it returns false after the last
// one.
func (w *windows) document(ctx context.Context, into *paging.Batch) (bool, error) {
	if w.evicted.Load() {
		return false, errSnapshotEnded
	}
	for w.at == len(w.part) {
		if w.ended || w.left == 0 {
			return false, nil
		}
		if err := w.next(ctx); err != nil {
			return false, err
		}
	}
	var doc sql.RawBytes
	n := -1
	// Call Err only after the last row: a scan into RawBytes holds the lock of the
	// rows, and taking it again while they are being cancelled would deadlock.
	if w.docs.Next() {
		if err := w.docs.Scan(&n, &doc); err != nil {
			return false, err
		}
	} else if err := w.docs.Err(); err != nil {
		return false, err
	}
	if n != w.at {
		return false, fmt.Errorf("sqlite: %w: a document is missing", errBroken)
	}
	into.Buffer = append(into.Buffer, doc...)
	into.Rows = append(into.Rows, search.Row{CompanyID: w.part[w.at].company})
	w.at++
	w.left--
	return true, nil
}

// next finds the next part.
func (w *windows) next(ctx context.Context) error {
	if err := w.closeDocs(); err != nil {
		return err
	}
	o := w.order
	o.bare = true
	o.limit = int(min(int64(w.size), w.left))
	rows, err := w.planner.pageRows(ctx, o)
	if err != nil {
		return err
	}
	w.part, w.at = w.part[:0], 0
	for _, row := range rows {
		w.part = append(w.part, place{row.key, tenancy.CompanyID(row.company)})
	}
	if w.ended = len(rows) < o.limit; len(rows) == 0 {
		return nil
	}
	w.order = w.order.behind(rows[len(rows)-1].position)
	const growth = 10
	w.size = min(growth*w.size, w.planner.window)
	return w.openDocs(ctx)
}

// openDocs reads the part's documents in the order of the list of keys.
func (w *windows) openDocs(ctx context.Context) (err error) {
	const query = "SELECT j.key, d.doc FROM json_each(?) AS j CROSS JOIN documents AS d ON d.key = j.value"
	keys := joinNumbers(slices.Values(w.part), func(p place) int64 { return p.key })
	w.docs, err = w.r.conn.QueryContext(ctx, query, "["+keys+"]") //nolint:rowserrcheck // document looks at it
	return err
}

func (w *windows) closeDocs() error {
	if w.docs == nil {
		return nil
	}
	docs := w.docs
	w.docs = nil
	return docs.Close()
}

// Close implements paging.Source.
func (w *windows) Close() error {
	w.mu.Lock()
	w.release()
	w.mu.Unlock()
	w.guard.leave(w)
	return nil
}
