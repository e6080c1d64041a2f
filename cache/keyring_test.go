package cache

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func newRing(tb testing.TB, keys ...byte) *keyring {
	tb.Helper()
	var secrets [][]byte
	for _, k := range keys {
		secrets = append(secrets, sealingKey(k))
	}
	ring, err := newKeyring(secrets, maxEntryBytes)
	if err != nil {
		tb.Fatal(err)
	}
	return ring
}

// drawBody draws short and long bodies, of which the long ones compress.
func drawBody(t *rapid.T) []byte {
	piece := rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "piece")
	return bytes.Repeat(piece, rapid.IntRange(1, 20).Draw(t, "times"))
}

func TestASealedBodyOpensUnderItsKeyAndNoOther(t *testing.T) {
	for name, ring := range map[string]*keyring{"plain": newRing(t), "sealed": newRing(t, 1)} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				k, body := drawKey(t, "key"), drawBody(t)
				value := ring.seal(k, body)
				if got, err := ring.open(k, value); err != nil || !bytes.Equal(got, body) {
					t.Fatalf("open: %v", err)
				}
				other := drawKey(t, "another key")
				if len(ring.keys) == 0 || other == k {
					return // a plain body holds its key itself: see readEntry
				}
				if _, err := ring.open(other, value); !errors.Is(err, errDamaged) {
					t.Fatalf("open under another key: %v", err)
				}
			})
		})
	}
}

func TestAChangedValueDoesNotOpen(t *testing.T) {
	for name, ring := range map[string]*keyring{"plain": newRing(t), "sealed": newRing(t, 1)} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				k := drawKey(t, "key")
				value := ring.seal(k, drawBody(t))
				changed := slices.Clone(value)
				if rapid.Bool().Draw(t, "cut") {
					changed = changed[:rapid.IntRange(0, len(value)-1).Draw(t, "length")]
				} else {
					changed[rapid.IntRange(0, len(value)-1).Draw(t, "octet")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
				}
				if _, err := ring.open(k, changed); !errors.Is(err, errDamaged) && !errors.Is(err, errVersion) {
					t.Fatalf("open: %v", err)
				}
			})
		})
	}
}

func TestTheFirstKeySealsAndAllOpen(t *testing.T) {
	const oldKey, newKey = 1, 2
	var k key
	rings := map[string]*keyring{
		"none": newRing(t), "old": newRing(t, oldKey), "old, new": newRing(t, oldKey, newKey),
		"new, old": newRing(t, newKey, oldKey), "new": newRing(t, newKey),
	}
	opens := map[string][]string{
		"none": {"none"},
		"old":  {"old", "old, new", "new, old"}, "old, new": {"old", "old, new", "new, old"},
		"new, old": {"old, new", "new, old", "new"}, "new": {"old, new", "new, old", "new"},
	}
	for stored, by := range rings {
		for read, with := range rings {
			value := by.seal(k, []byte("body"))
			found := slices.Contains(with.names(k), by.names(k)[0])
			_, err := with.open(k, value)
			want := slices.Contains(opens[stored], read)
			if opened := err == nil; opened != want || found != want {
				t.Errorf("stored with keys %s, read with keys %s: found %v, opened %v, want %v", stored, read, found, opened, want)
			}
		}
	}
}

func TestSealedAnswersRevealNothing(t *testing.T) {
	ring := newRing(t, 1)
	var k key
	body := []byte(strings.Repeat("planted name ", 100))
	first, second := ring.seal(k, body), ring.seal(k, body)
	if bytes.Contains(first, []byte("planted")) {
		t.Error("the body is in clear")
	}
	if bytes.Contains(first, k[:]) || strings.Contains(ring.names(k)[0], valueName(nil, k)) {
		t.Error("the digest of the key is in clear")
	}
	if bytes.Equal(first, second) {
		t.Error("the same body was sealed the same way twice: nonces repeat")
	}
	if len(first) > len(body)/2 {
		t.Errorf("%d bytes of text became %d: it was not compressed", len(body), len(first))
	}
}

func TestAValueThatGrowsTooLargeDoesNotOpen(t *testing.T) {
	ring := newRing(t, 1)
	ring.maxBody = 1000
	var k key
	if _, err := ring.open(k, ring.seal(k, make([]byte, 1000))); err != nil {
		t.Errorf("at the bound: %v", err)
	}
	if _, err := ring.open(k, ring.seal(k, make([]byte, 1001))); !errors.Is(err, errDamaged) {
		t.Errorf("above it: %v", err)
	}
}

// FuzzOpen looks for values that panic, or that open without having been sealed.
func FuzzOpen(f *testing.F) {
	var k key
	plain, sealed := newRing(f), newRing(f, 1)
	f.Add(plain.seal(k, []byte("body")))
	f.Add(sealed.seal(k, []byte("body")))
	f.Add(sealed.seal(k, make([]byte, 2*compressAbove)))
	f.Fuzz(func(t *testing.T, value []byte) {
		if body, err := plain.open(k, value); err == nil && !bytes.Equal(plain.seal(k, body), value) {
			t.Error("a plain value opened that was never made")
		}
		other := newRing(t, 2)
		if _, err := other.open(k, value); err == nil {
			t.Error("a value opened that no holder of the key has sealed")
		}
		_, _ = sealed.open(k, value)
	})
}
