package redislog

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/tenancy"
)

// Kinds of the entries of a log, the first byte of their body.
const (
	eventAll       = 'a'
	eventCompanies = 'c' // each as a varint of its distance from the one before
)

// writeEvent writes the body of an entry. Companies are ascending and distinct.
func writeEvent(event invalidation.Event) []byte {
	if event.All {
		return []byte{eventAll}
	}
	out := []byte{eventCompanies}
	last := tenancy.CompanyID(0)
	for _, company := range event.Companies {
		out = binary.AppendUvarint(out, uint64(company-last))
		last = company
	}
	return out
}

// readEvent is the reverse of writeEvent. Errors: errDamaged.
func readEvent(body []byte) (invalidation.Event, error) {
	switch {
	case len(body) == 1 && body[0] == eventAll:
		return invalidation.Event{All: true}, nil
	case len(body) == 0 || body[0] != eventCompanies:
		return invalidation.Event{}, fmt.Errorf("%w: an entry of an unknown kind", errDamaged)
	}
	var companies []tenancy.CompanyID
	last := uint64(0)
	for rest := body[1:]; len(rest) > 0; {
		step, n := binary.Uvarint(rest)
		if n <= 0 || step == 0 || step > uint64(tenancy.MaxCompanyID)-last {
			return invalidation.Event{}, fmt.Errorf("%w: an entry holds what is no list of companies", errDamaged)
		}
		last += step
		companies = append(companies, tenancy.CompanyID(last))
		rest = rest[n:]
	}
	return invalidation.Event{Companies: companies}, nil
}

func sortedCompanies(companies []tenancy.CompanyID) []tenancy.CompanyID {
	return slices.Compact(slices.Sorted(slices.Values(companies)))
}

// macRing signs and verifies entries of a log, each key being derived from one
// of those that seal values: the first signs, all verify.
type macRing [][]byte

// newMACRing makes a ring. Without keys a MAC is a checksum.
func newMACRing(keys [][]byte) (macRing, error) {
	if len(keys) == 0 {
		keys = [][]byte{make([]byte, sha256.Size)}
	}
	var ring macRing
	for _, secret := range keys {
		derived, err := hkdf.Key(sha256.New, secret, nil, "scopegate/log/1", sha256.Size)
		if err != nil {
			return nil, err
		}
		ring = append(ring, derived)
	}
	return ring, nil
}

func (r macRing) sign(log string, at invalidation.Position, body []byte) []byte {
	return entryMAC(r[0], log, at, body)
}

func (r macRing) verify(log string, at invalidation.Position, body, mac []byte) bool {
	return slices.ContainsFunc(r, func(key []byte) bool { return hmac.Equal(mac, entryMAC(key, log, at, body)) })
}

// entryMAC is over the log too, so that an entry of one log is refused in another.
func entryMAC(key []byte, log string, at invalidation.Position, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range []string{log, at.Epoch} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	mac.Write(binary.BigEndian.AppendUint64(nil, at.Sequence))
	mac.Write(body)
	return mac.Sum(nil)
}
