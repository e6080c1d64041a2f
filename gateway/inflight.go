package gateway

import (
	"cmp"
	"errors"
	"sync"

	"github.com/scopegate/scopegate/tenancy"
)

// Defaults of InFlight.
const (
	DefaultAccountInFlight = 64 << 20
	DefaultInFlight        = 192 << 20
)

// minAccountInFlight is what each account may have in flight when others have taken
// all that there is, so that slow readers do not lock everybody out.
const minAccountInFlight = 64 << 10

// InFlight bounds the bytes of answers, and of requests' bodies, that are held in
// this process until the caller has read or sent them. A zero value is the
// default. Exports stream, and are not counted: Exports bounds them.
type InFlight struct {
	Account int64 // of one account; at least the largest answer, or it is never given
	All     int64 // of all accounts
}

func (f InFlight) withDefaults() InFlight {
	f.Account = cmp.Or(f.Account, DefaultAccountInFlight)
	f.All = cmp.Or(f.All, max(DefaultInFlight, f.Account))
	return f
}

func (f InFlight) validate() error {
	if f.Account < 0 || f.All < 0 || f.withDefaults().All < f.withDefaults().Account {
		return errors.New("InFlight must not be negative, nor All below Account")
	}
	return nil
}

// inFlight counts the bytes in flight. Safe for use by several goroutines.
type inFlight struct {
	most    InFlight
	changed func(more int64) // told of every change

	mu       sync.Mutex
	all      int64
	accounts map[tenancy.Account]int64 // those with any
}

func newInFlight(most InFlight, changed func(more int64)) *inFlight {
	return &inFlight{most: most, changed: changed, accounts: map[tenancy.Account]int64{}}
}

// held are bytes in flight. The zero held has none, and has nothing to give back.
type held struct {
	of      *inFlight
	account tenancy.Account
	bytes   int64
}

// acquire counts n bytes more, until they are given back. Errors: errAccountInFlight
// when the account, errInFlight when all accounts together, would have too many.
func (f *inFlight) acquire(account tenancy.Account, n int64) (held, error) {
	if err := f.count(account, n); err != nil {
		return held{}, err
	}
	f.changed(n)
	return held{of: f, account: account, bytes: n}, nil
}

func (f *inFlight) count(account tenancy.Account, n int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	mine := f.accounts[account] + n
	switch {
	case mine > f.most.Account:
		return errAccountInFlight
	case f.all+n > f.most.All && mine > minAccountInFlight:
		return errInFlight
	}
	f.all += n
	f.accounts[account] = mine
	return nil
}

// resize corrects the number of bytes to what they have turned out to be. More of
// them are not refused: the work on them is done.
func (h *held) resize(n int64) {
	if h.of == nil {
		return
	}
	more := n - h.bytes
	h.bytes = n
	h.of.mu.Lock()
	h.of.all += more
	if h.of.accounts[h.account] += more; h.of.accounts[h.account] == 0 {
		delete(h.of.accounts, h.account)
	}
	h.of.mu.Unlock()
	h.of.changed(more)
}

// release ends the count. It may be called again.
func (h *held) release() {
	h.resize(0)
	h.of = nil
}
