package cache

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/scopegate/scopegate/tenancy"
)

// schemaVersion changes whenever the meaning of an entry or of a canonical query
// changes: entries of another version are never found.
const schemaVersion = "scopegate/cache/1"

// key is the SHA-256 of an entry's full key, so that no keyword, name or phone
// lives on as key text. Whatever is bound to it is bound to the full key: two
// full keys with one SHA-256 cannot be found.
type key [sha256.Size]byte

// keyspace is what all keys of one data set have in common.
type keyspace [sha256.Size]byte

// newKeyspace is that of the data of this identity in the namespace.
func newKeyspace(namespace, identity string) keyspace {
	text := []byte(schemaVersion + "\x00")
	text = binary.BigEndian.AppendUint64(text, uint64(len(namespace))) // where one ends and the other begins
	return sha256.Sum256(append(append(text, namespace...), identity...))
}

// of is the key of a part of a request.
func (s keyspace) of(p part, scope tenancy.Scope) key {
	return s.bind(p.kind(), scope, p.canonical())
}

// bind binds an entry to all that its value depends on.
//
// SECURITY: the scope's fingerprint is what keeps one tenant's rows from
// another. What stands before the canonical query has a fixed length, so that
// no query can be written that reads as another scope's.
func (s keyspace) bind(of kind, scope tenancy.Scope, canonical []byte) key {
	fingerprint := scope.Fingerprint()
	hash := sha256.New()
	hash.Write(s[:])
	hash.Write([]byte{of.letter()})
	hash.Write(fingerprint[:])
	hash.Write(canonical)
	var k key
	hash.Sum(k[:0])
	return k
}
