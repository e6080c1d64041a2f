package cache

import (
	"encoding/json"
	"slices"
	"time"
	"unsafe"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
)

// entry is one kept count, page or summary. It is immutable once it is made.
type entry struct {
	key      key       // the key it was loaded for; see memory.get
	loadedAt time.Time // before its search began
	took     time.Duration
	position invalidation.Position // of the log, noted before its search began
	settled  bool                  // of a window that had ended long before
	total    int64                 // of a count
	page     search.Page           // of a page; its Served is zero
	summary  *search.Summary       // of a summary; its Served is zero
}

// entryOverhead is what an entry weighs beside its rows: itself, its key, and
// the map's bookkeeping (measured with otter v2.4: 346 bytes).
const entryOverhead = 352

const (
	rowOverhead   = int64(unsafe.Sizeof(search.Row{}))
	valueOverhead = int64(unsafe.Sizeof(json.RawMessage{}))
)

// weight is the number of bytes that the entry holds on to.
func (e *entry) weight() int64 {
	return entryOverhead + rowsWeight(e.page.Rows) + summaryWeight(e.summary)
}

func rowsWeight(rows []search.Row) int64 {
	weight := int64(len(rows)) * rowOverhead
	for _, row := range rows {
		weight += int64(len(row.JSON)) + int64(len(row.Position.Values))*valueOverhead
		for _, value := range row.Position.Values {
			weight += int64(len(value))
		}
	}
	return weight
}

// empty reports whether it is a count or a summary of nothing, or a page of no
// rows.
func (e *entry) empty() bool {
	return e.total == 0 && len(e.page.Rows) == 0 && (e.summary == nil || e.summary.Count == 0)
}

// chance is a number of 0 to 1 that all gateways give the same entry, and
// another to that which replaces it.
func (e *entry) chance() float64 {
	return float64(e.key[0]^byte(e.loadedAt.UnixNano()>>10)) / 256
}

// rows is a list of the entry's rows that its reader may keep and change.
func (e *entry) rows() []search.Row { return slices.Clone(e.page.Rows) }

// compact copies rows into memory of their own: an engine's row may be a small
// piece of a large buffer, which would stay alive with it and belie the weight.
func compact(rows []search.Row) []search.Row {
	size := 0
	for _, row := range rows {
		size += len(row.JSON)
		for _, value := range row.Position.Values {
			size += len(value)
		}
	}
	buffer := make([]byte, 0, size)
	keep := func(raw json.RawMessage) json.RawMessage {
		if raw == nil {
			return nil
		}
		start := len(buffer)
		buffer = append(buffer, raw...)
		return buffer[start:len(buffer):len(buffer)] // an append by a reader must not write on
	}
	kept := make([]search.Row, len(rows))
	for i, row := range rows {
		kept[i] = search.Row{CompanyID: row.CompanyID, JSON: keep(row.JSON)}
		if row.Position.Values == nil {
			continue
		}
		values := make([]json.RawMessage, len(row.Position.Values))
		for j, value := range row.Position.Values {
			values[j] = keep(value)
		}
		kept[i].Position.Values = values
	}
	return kept
}
