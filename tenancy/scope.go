package tenancy

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// Fingerprint is the SHA-256 over a scope's sorted company ids (big-endian, 4
// bytes each): equal exactly for equal scopes.
type Fingerprint [sha256.Size]byte

// Scope is the set of companies whose sessions one request may see.
//
// SECURITY: it can be made only by a Directory (Resolve, Supervised). The zero Scope is the
// empty scope and matches nothing. A Scope is immutable and safe for use by
// several goroutines.
type Scope struct {
	ids         *roaring.Bitmap // nil: empty; never changed once in a Scope
	size        int             // counting a bitmap goes over all its containers
	fingerprint Fingerprint
}

// newScope makes the scope of these ids, which are ascending and distinct.
func newScope(ids []uint32) Scope {
	if len(ids) == 0 {
		return Scope{}
	}
	return Scope{ids: roaring.BitmapOf(ids...), size: len(ids), fingerprint: fingerprintOf(ids)}
}

// fingerprintOf hashes in blocks: one Write per id costs more than the hash.
func fingerprintOf(ids []uint32) (f Fingerprint) {
	const block = 1024
	hash := sha256.New()
	bytes := make([]byte, 0, 4*block)
	for some := range slices.Chunk(ids, block) {
		bytes = bytes[:0]
		for _, id := range some {
			bytes = binary.BigEndian.AppendUint32(bytes, id)
		}
		hash.Write(bytes)
	}
	hash.Sum(f[:0])
	return f
}

// Contains reports whether the company is in the scope.
func (s Scope) Contains(id CompanyID) bool {
	return s.ids != nil && s.ids.Contains(uint32(id))
}

// Len is the number of companies in the scope.
func (s Scope) Len() int { return s.size }

// IsEmpty reports whether the scope matches nothing.
func (s Scope) IsEmpty() bool { return s.Len() == 0 }

// Companies yields the company ids in ascending order.
func (s Scope) Companies() iter.Seq[CompanyID] {
	return func(yield func(CompanyID) bool) {
		if s.ids == nil {
			return
		}
		for id := range roaring.Values(s.ids) {
			if !yield(CompanyID(id)) {
				return
			}
		}
	}
}

// Fingerprint identifies the set of companies; all zeros for the empty scope.
func (s Scope) Fingerprint() Fingerprint { return s.fingerprint }
