package cache

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// Why a stored value is refused.
var (
	errVersion = errors.New("the value is of another version")
	errDamaged = errors.New("the value is damaged")
	errForeign = errors.New("the value was stored for another key")
)

// appendEntry encodes an entry for other gateways: the digest of its full key,
// the letter of its kind, when it was loaded (nanoseconds since 1970), the
// position of the log (epoch and sequence), then its value. Numbers are varints.
// Bytes are preceded by their length plus one; 0 stands for nil.
//
// Took is not encoded: only misses report it.
func appendEntry(out []byte, e item) []byte {
	m := e.about()
	out = append(out, m.key[:]...)
	out = append(out, e.kind().letter())
	out = binary.BigEndian.AppendUint64(out, uint64(m.loadedAt.UnixNano()))
	out = append(binary.AppendUvarint(out, uint64(len(m.position.Epoch))), m.position.Epoch...)
	out = binary.AppendUvarint(out, m.position.Sequence)
	return e.appendValue(out)
}

func appendRaw(out []byte, raw json.RawMessage) []byte {
	if raw == nil {
		return append(out, 0)
	}
	return append(binary.AppendUvarint(out, uint64(len(raw))+1), raw...)
}

// readEntry is the reverse of appendEntry. The entry's value may be pieces of
// body, which must not be written to afterwards.
//
// SECURITY: a value that was stored for another key is refused, whoever put it
// where it was found.
func readEntry(body []byte, k key, of kind) (item, error) {
	r := &reader{rest: body}
	if stored := r.take(len(k)); !r.failed && key(stored) != k {
		return nil, errForeign
	}
	if stored := r.octet(); !r.failed && stored != of.letter() {
		return nil, errForeign
	}
	m := meta{key: k}
	m.loadedAt = time.Unix(0, r.int64())
	m.position.Epoch = string(r.take(int(r.number(uint64(len(r.rest))))))
	m.position.Sequence = r.number(math.MaxUint64)
	e := of.decode(m, r)
	if r.failed || len(r.rest) > 0 {
		return nil, fmt.Errorf("%w: it is not an entry from end to end", errDamaged)
	}
	return e, nil
}

// reader decodes an entry. Once it has failed all it returns is zero.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) fail() { r.rest, r.failed = nil, true }

// take is the next n bytes, with no room behind them to append to.
func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.fail()
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) octet() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// number is a varint of at most limit.
func (r *reader) number(limit uint64) uint64 {
	n, length := binary.Uvarint(r.rest)
	if length <= 0 || n > limit {
		r.fail()
		return 0
	}
	r.rest = r.rest[length:]
	return n
}

func (r *reader) raw() json.RawMessage {
	n := r.number(uint64(len(r.rest)) + 1)
	if n == 0 {
		return nil
	}
	return r.take(int(n - 1))
}
