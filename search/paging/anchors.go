package paging

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sort"
	"sync"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Key identifies one order of one set of sessions. It is a digest: the search terms
// cannot be read from it.
type Key [sha256.Size]byte

// NewKey makes the key of all pages of a query under a scope. The engine names the
// state of the data; "" stands for any state.
func NewKey(scope tenancy.Scope, q search.Query, state string) Key {
	// Offset, limit and fields do not change the order.
	q.Offset, q.Limit, q.Fields = 0, 0, session.FieldSet{}
	fingerprint := scope.Fingerprint()
	length := binary.BigEndian.AppendUint64(nil, uint64(len(state)))
	return sha256.Sum256(slices.Concat(fingerprint[:], length, []byte(state), q.PageKey()))
}

// Anchor is the number of rows up to and including the row at a position.
type Anchor struct {
	Rows     int
	Position search.Position
}

// perAnchor is the approximate size of an anchor without its values, in bytes;
// perKey that of a query without its anchors.
const (
	perAnchor = 48
	perKey    = 200
)

func (a Anchor) size() int {
	n := perAnchor
	for _, v := range a.Position.Values {
		n += len(v) + 24
	}
	return n
}

// Anchors caches anchors of the most recent queries, up to a number of bytes. It is safe
// for use by several goroutines.
//
// An anchor was right when it was added. The engine must check that it still is.
//
// It is not otter, which holds the cache's answers: the value of a key grows with each
// page that is read, in order, and is weighed again each time under the same lock.
type Anchors struct {
	maxBytes int

	mu    sync.Mutex
	size  int
	byKey map[Key]*list.Element
	used  list.List // of *anchored, most recently used first
}

type anchored struct {
	key     Key
	size    int
	anchors []Anchor // ascending by rows, no number twice
	apart   int      // smallest distance between two, in rows
}

// NewAnchors makes a cache of at most maxBytes.
func NewAnchors(maxBytes int) *Anchors {
	return &Anchors{maxBytes: maxBytes, byKey: map[Key]*list.Element{}}
}

// Below returns the last anchor of at most the given number of rows.
func (a *Anchors) Below(key Key, rows int) (Anchor, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e, ok := a.byKey[key]
	if !ok {
		return Anchor{}, false
	}
	a.used.MoveToFront(e)
	found := e.Value.(*anchored).anchors
	i := sort.Search(len(found), func(i int) bool { return found[i].Rows > rows })
	if i == 0 {
		return Anchor{}, false
	}
	return found[i-1], true
}

// Add caches anchors. It replaces an anchor of the same number of rows.
func (a *Anchors) Add(key Key, anchors ...Anchor) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e, ok := a.byKey[key]
	if !ok {
		e = a.used.PushFront(&anchored{key: key, size: perKey})
		a.byKey[key] = e
		a.size += perKey
	}
	a.used.MoveToFront(e)
	of := e.Value.(*anchored)
	before := of.size
	for _, anchor := range anchors {
		of.add(anchor)
	}
	// So that one query does not evict all others, its anchors are thinned out.
	for of.size > a.maxBytes/4 && len(of.anchors) > 0 {
		of.thin()
	}
	a.size += of.size - before
	for a.size > a.maxBytes {
		a.evict(a.used.Back())
	}
}

func (a *Anchors) evict(e *list.Element) {
	of := a.used.Remove(e).(*anchored)
	delete(a.byKey, of.key)
	a.size -= of.size
}

func (of *anchored) add(anchor Anchor) {
	i, found := slices.BinarySearchFunc(of.anchors, anchor.Rows, func(a Anchor, rows int) int { return a.Rows - rows })
	switch {
	case found:
		of.size += anchor.size() - of.anchors[i].size()
		of.anchors[i] = anchor
	case i > 0 && anchor.Rows-of.anchors[i-1].Rows < of.apart:
	default:
		of.size += anchor.size()
		of.anchors = slices.Insert(of.anchors, i, anchor)
	}
}

// thin removes about half of the anchors, evenly; a single anchor is removed too.
func (of *anchored) thin() {
	n := len(of.anchors)
	of.apart = max(of.apart, of.anchors[n-1].Rows/n) * 2
	remaining := of.anchors[:0]
	of.size = perKey
	for _, anchor := range of.anchors[:n-n%2] { // ends also where no two are close
		if len(remaining) == 0 || anchor.Rows-remaining[len(remaining)-1].Rows >= of.apart {
			remaining = append(remaining, anchor)
			of.size += anchor.size()
		}
	}
	clear(of.anchors[len(remaining):])
	of.anchors = remaining
}
