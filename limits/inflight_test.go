package limits

import (
	"errors"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/tenancy"
)

func TestBytesInFlightAreBoundedAndGivenBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bounds := Bytes{Account: 1 << 20, All: 3 << 20}
		reported := int64(0)
		f := NewInFlight(bounds, func(more int64) { reported += more })
		var all []*Held
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(all) > 0 && rapid.Bool().Draw(t, "give back") {
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				all[i].Resize(rapid.Int64Range(0, all[i].bytes).Draw(t, "less"))
				all[i].Release()
				all[i].Release()
				all = append(all[:i], all[i+1:]...)
				continue
			}
			who := tenancy.Account{Subject: strconv.Itoa(rapid.IntRange(0, 6).Draw(t, "account"))}
			n := rapid.Int64Range(0, 1<<20).Draw(t, "bytes")
			mine := f.accounts[who] + n
			h, err := f.Acquire(who, n)
			switch {
			case errors.Is(err, ErrAccountInFlight) != (mine > bounds.Account):
				t.Fatalf("%d bytes of the account: %v", mine, err)
			case err == nil:
				all = append(all, &h)
			case errors.Is(err, ErrInFlight) && mine <= minAccountInFlight:
				t.Fatalf("a small answer was refused: %v", err)
			}
		}
		sum := int64(0)
		for _, h := range all {
			sum += h.bytes
		}
		if total := f.all; total != sum || reported != sum || total > bounds.All+7*minAccountInFlight {
			t.Fatalf("%d bytes are counted, %d are held", total, sum)
		}
		for _, h := range all {
			h.Release()
		}
		if f.all != 0 || reported != 0 || len(f.accounts) > 0 {
			t.Fatalf("%d bytes, %d accounts left", f.all, len(f.accounts))
		}
	})
}
