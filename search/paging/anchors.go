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

// Key names one order of one set of sessions. Nothing of what was searched for
// can be read from it.
type Key [sha256.Size]byte

// KeyOf is the key of all pages of a query under a scope, in a state of the data
// that the engine names, or in any for "".
func KeyOf(scope tenancy.Scope, q search.Query, state string) Key {
	// The place and the looks of a page make no difference to where rows stand.
	q.Offset, q.Limit, q.Fields = 0, 0, session.FieldSet{}
	fingerprint := scope.Fingerprint()
	length := binary.BigEndian.AppendUint64(nil, uint64(len(state)))
	return sha256.Sum256(slices.Concat(fingerprint[:], length, []byte(state), q.PageKey()))
}

// Anchor says that so many rows came up to a position, that of the last of them.
type Anchor struct {
	Rows     int
	Position search.Position
}

// perAnchor and perKey are about what an anchor takes beside its values, and a
// query beside its anchors.
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

// Anchors remembers anchors within a number of bytes, of those queries that were
// asked last. It is safe for use by several goroutines.
//
// What it remembers was so once. Whether it still is, is for the engine to find
// out, before it relies on it.
type Anchors struct {
	most int

	mu    sync.Mutex
	size  int
	byKey map[Key]*list.Element
	used  list.List // of *anchored, the last used in front
}

type anchored struct {
	key     Key
	size    int
	anchors []Anchor // ascending, each number of rows once
	apart   int      // rows between two at least
}

// NewAnchors keeps at most so many bytes.
func NewAnchors(most int) *Anchors {
	return &Anchors{most: most, byKey: map[Key]*list.Element{}}
}

// Below is the last anchor of at most so many rows.
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

// Add remembers anchors, in the place of others of as many rows.
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
	// One query may not push all others out: its anchors stand further apart then.
	for of.size > a.most/4 && len(of.anchors) > 0 {
		of.thin()
	}
	a.size += of.size - before
	for a.size > a.most {
		a.forget(a.used.Back())
	}
}

func (a *Anchors) forget(e *list.Element) {
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

// thin leaves about half of them, evenly spread; none of one.
func (of *anchored) thin() {
	n := len(of.anchors)
	of.apart = max(of.apart, of.anchors[n-1].Rows/n) * 2
	kept := of.anchors[:0]
	of.size = perKey
	for _, anchor := range of.anchors[:n-n%2] { // ends also where none is close to another
		if len(kept) == 0 || anchor.Rows-kept[len(kept)-1].Rows >= of.apart {
			kept = append(kept, anchor)
			of.size += anchor.size()
		}
	}
	clear(of.anchors[len(kept):])
	of.anchors = kept
}
