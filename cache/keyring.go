package cache

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/klauspost/compress/s2"
	"golang.org/x/crypto/chacha20poly1305"
)

// A stored value begins with the version of its layout and its kind:
//
//	plain:  version, kind, SHA-256 of all that is around it, body
//	sealed: version, kind, id of the key (4), nonce (24), box
//
// The box of a sealed value is XChaCha20-Poly1305 over the body; all before the
// nonce and the key of the entry are its associated data.
const (
	valueVersion = 2 // 1 had no position of the log

	kindPlain      = 0
	kindSealed     = 1
	kindCompressed = 2 // sealed after compression

	headerBytes = 2
	keyIDBytes  = 4
	keyBytes    = chacha20poly1305.KeySize
)

// compressAbove is the shortest body worth compressing; counts are below it.
const compressAbove = 256

// namePrefix lets an operator grant a gateway its own keys of a Redis and no
// others; docs/operations.md shows the account.
const namePrefix = "scopegate:"

// keyring names, seals and opens what leaves the process. The first key seals,
// all of them open. Without keys a value is plain: bound to its key and checked
// for damage, but to be read, and forged, by whoever reaches the store.
type keyring struct {
	keys    []sealKey
	maxBody int // what a value may grow to when it is opened
}

// sealKey is what is derived from one configured key.
type sealKey struct {
	id   []byte // identifies the key in a value; no secret
	name []byte // of the HMAC that names values
	aead cipher.AEAD
}

// newKeyring makes a ring of keys of 32 bytes each.
func newKeyring(keys [][]byte, maxBody int64) (*keyring, error) {
	ring := &keyring{maxBody: int(maxBody)}
	for _, secret := range keys {
		derived, err := deriveKey(secret)
		if err != nil {
			return nil, err
		}
		ring.keys = append(ring.keys, derived)
	}
	return ring, nil
}

func deriveKey(secret []byte) (sealKey, error) {
	derived, err := hkdf.Key(sha256.New, secret, nil, schemaVersion, 2*keyBytes+keyIDBytes)
	if err != nil {
		return sealKey{}, err
	}
	aead, err := chacha20poly1305.NewX(derived[:keyBytes])
	if err != nil {
		return sealKey{}, err
	}
	return sealKey{name: derived[keyBytes : 2*keyBytes], id: derived[2*keyBytes:], aead: aead}, nil
}

// names are the names under which the value of a key may be stored, one for
// each key of the ring; it is written under the first. Without a key of the ring
// they reveal nothing of what was searched for. A mere digest would: a phone number
// could be found by trying all of them.
func (r *keyring) names(k key) []string {
	if len(r.keys) == 0 {
		return []string{valueName(nil, k)}
	}
	names := make([]string, len(r.keys))
	for i, with := range r.keys {
		names[i] = valueName(with.name, k)
	}
	return names
}

func valueName(secret []byte, k key) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write(k[:])
	return namePrefix + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// size is how many names a key has.
func (r *keyring) size() int { return max(1, len(r.keys)) }

// seal makes the value of a body that is stored for k.
func (r *keyring) seal(k key, body []byte) []byte {
	if len(r.keys) == 0 {
		header := []byte{valueVersion, kindPlain}
		sum := plainSum(header, body)
		return bytes.Join([][]byte{header, sum[:], body}, nil)
	}
	kind := byte(kindSealed)
	if len(body) >= compressAbove {
		// s2 and not zstd: a page of 9 KB becomes 4.7 rather than 3.2, six times as
		// fast, and is read back in a fifth of the time (BenchmarkCompression).
		body, kind = s2.Encode(nil, body), kindCompressed
	}
	with := r.keys[0]
	value := make([]byte, 0, headerBytes+keyIDBytes+chacha20poly1305.NonceSizeX+len(body)+chacha20poly1305.Overhead)
	value = append(value, valueVersion, kind)
	value = append(value, with.id...)
	data := associatedData(value, k)
	nonce := value[len(value) : len(value)+chacha20poly1305.NonceSizeX]
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the program instead
	value = value[:len(value)+len(nonce)]
	return with.aead.Seal(value, nonce, body, data)
}

// open is the reverse of seal. Errors: errVersion, errDamaged.
//
// SECURITY: a ring with keys opens no plain value, or whoever can write to the
// store could do without the seal.
func (r *keyring) open(k key, value []byte) ([]byte, error) {
	if len(value) < headerBytes || value[0] != valueVersion {
		return nil, errVersion
	}
	if len(r.keys) == 0 {
		return openPlain(value)
	}
	return r.openSealed(k, value)
}

func openPlain(value []byte) ([]byte, error) {
	header, rest := value[:headerBytes], value[headerBytes:]
	switch {
	case header[1] != kindPlain:
		return nil, fmt.Errorf("%w: it is sealed, and there are no keys", errVersion)
	case len(rest) < sha256.Size:
		return nil, errDamaged
	}
	body := rest[sha256.Size:]
	if plainSum(header, body) != [sha256.Size]byte(rest) {
		return nil, errDamaged
	}
	return body, nil
}

func (r *keyring) openSealed(k key, value []byte) ([]byte, error) {
	kind := value[1]
	if kind != kindSealed && kind != kindCompressed {
		return nil, fmt.Errorf("%w: it is not sealed", errVersion)
	}
	if len(value) < headerBytes+keyIDBytes+chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead {
		return nil, errDamaged
	}
	header, rest := value[:headerBytes+keyIDBytes], value[headerBytes+keyIDBytes:]
	nonce, box := rest[:chacha20poly1305.NonceSizeX], rest[chacha20poly1305.NonceSizeX:]
	for _, with := range r.keys {
		if !bytes.Equal(with.id, header[headerBytes:]) {
			continue
		}
		body, err := with.aead.Open(nil, nonce, box, associatedData(header, k))
		if err != nil {
			return nil, fmt.Errorf("%w: it does not open", errDamaged)
		}
		if kind == kindCompressed {
			return r.decompress(body)
		}
		return body, nil
	}
	return nil, fmt.Errorf("%w: it is sealed with an unknown key", errVersion)
}

func (r *keyring) decompress(packed []byte) ([]byte, error) {
	length, err := s2.DecodedLen(packed)
	if err != nil || length > r.maxBody {
		return nil, fmt.Errorf("%w: it is larger than %d bytes", errDamaged, r.maxBody)
	}
	body, err := s2.Decode(nil, packed)
	if err != nil {
		return nil, fmt.Errorf("%w: it does not decompress", errDamaged)
	}
	return body, nil
}

// associatedData is of a fixed length, so that no header reads as part of a key.
func associatedData(header []byte, k key) []byte {
	return append(bytes.Clone(header), k[:]...)
}

func plainSum(header, body []byte) [sha256.Size]byte {
	hash := sha256.New()
	hash.Write(header)
	hash.Write(body)
	return [sha256.Size]byte(hash.Sum(nil))
}
