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

// minAccountInFlight is what each account may have in flight even when all accounts
// together have reached their bound, so that slow readers do not lock out others.
const minAccountInFlight = 64 << 10

// InFlight bounds the bytes of answers that callers have yet to read, and of request
// bodies that they are sending. A zero value is the default. Exports are not counted:
// they stream, and Exports bounds them.
type InFlight struct {
	Account int64 // bytes of one account; a larger answer is always refused
	All     int64 // bytes of all accounts
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
	limits  InFlight
	changed func(more int64) // called with each change of the sum

	mu       sync.Mutex
	all      int64
	accounts map[tenancy.Account]int64 // above 0
}

func newInFlight(limits InFlight, changed func(more int64)) *inFlight {
	return &inFlight{limits: limits, changed: changed, accounts: map[tenancy.Account]int64{}}
}

// held are bytes that are counted as in flight. The zero held has none.
type held struct {
	of      *inFlight
	account tenancy.Account
	bytes   int64
}

// acquire counts n bytes more, until release. Errors: errAccountInFlight if the
// account, errInFlight if all accounts together would have too many.
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
	case mine > f.limits.Account:
		return errAccountInFlight
	case f.all+n > f.limits.All && mine > minAccountInFlight:
		return errInFlight
	}
	f.all += n
	f.accounts[account] = mine
	return nil
}

// resize sets the number of bytes to the actual one. A larger number is not refused:
// the memory is in use already.
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

// release ends the count. It may be called more than once.
func (h *held) release() {
	h.resize(0)
	h.of = nil
}
