package tenancy

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"slices"
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
	// ids are ascending and distinct, and never changed once in a Scope. A plain
	// slice: a compressed bitmap of ids that lie far apart takes ten times as
	// long to make as it takes to find them.
	ids         []CompanyID
	fingerprint Fingerprint
}

// newScope makes the scope of these ids, which are ascending and distinct. It
// takes ownership of the slice.
func newScope(ids []CompanyID) Scope {
	if len(ids) == 0 {
		return Scope{}
	}
	return Scope{ids: ids, fingerprint: fingerprintOf(ids)}
}

// fingerprintOf hashes in blocks: one Write per id costs more than the hash.
func fingerprintOf(ids []CompanyID) (f Fingerprint) {
	const block = 1024
	hash := sha256.New()
	bytes := make([]byte, 0, 4*block)
	for some := range slices.Chunk(ids, block) {
		bytes = bytes[:0]
		for _, id := range some {
			bytes = binary.BigEndian.AppendUint32(bytes, uint32(id))
		}
		hash.Write(bytes)
	}
	hash.Sum(f[:0])
	return f
}

// Contains reports whether the company is in the scope.
func (s Scope) Contains(id CompanyID) bool {
	_, found := slices.BinarySearch(s.ids, id)
	return found
}

// Len is the number of companies in the scope.
func (s Scope) Len() int { return len(s.ids) }

// IsEmpty reports whether the scope matches nothing.
func (s Scope) IsEmpty() bool { return s.Len() == 0 }

// Companies yields the company ids in ascending order.
func (s Scope) Companies() iter.Seq[CompanyID] { return slices.Values(s.ids) }

// Fingerprint identifies the set of companies; all zeros for the empty scope.
func (s Scope) Fingerprint() Fingerprint { return s.fingerprint }
