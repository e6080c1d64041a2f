package limits

import (
	"cmp"
	"errors"
	"sync"

	"github.com/scopegate/scopegate/tenancy"
)

// Defaults of Bytes.
const (
	DefaultAccountInFlight = 64 << 20
	DefaultInFlight        = 192 << 20
)

// Errors of InFlight.
var (
	ErrAccountInFlight = errors.New("the account has too many bytes in flight")
	ErrInFlight        = errors.New("too many bytes in flight")
)

// minAccountInFlight is what each account may have in flight even when all accounts
// together have reached their bound, so that slow readers do not lock out others.
const minAccountInFlight = 64 << 10

// Bytes bounds the bytes of answers that callers have yet to read, and of request
// bodies that they are sending. A zero value is the default. Exports are not counted:
// they stream, and Exports bounds them.
type Bytes struct {
	Account int64 // bytes of one account; a larger answer is always refused
	All     int64 // bytes of all accounts
}

// WithDefaults returns the bounds with defaults in place of zeros.
func (f Bytes) WithDefaults() Bytes {
	f.Account = cmp.Or(f.Account, DefaultAccountInFlight)
	f.All = cmp.Or(f.All, max(DefaultInFlight, f.Account))
	return f
}

// Validate returns an error that says what is wrong.
func (f Bytes) Validate() error {
	if f.Account < 0 || f.All < 0 || f.WithDefaults().All < f.WithDefaults().Account {
		return errors.New("InFlight must not be negative, nor All below Account")
	}
	return nil
}

// InFlight counts the bytes in flight. Safe for use by several goroutines.
type InFlight struct {
	limits  Bytes
	changed func(more int64) // called with each change of the sum

	mu       sync.Mutex
	all      int64
	accounts map[tenancy.Account]int64 // above 0
}

// NewInFlight counts within the bounds, and calls changed with each change of the sum.
func NewInFlight(limits Bytes, changed func(more int64)) *InFlight {
	return &InFlight{limits: limits, changed: changed, accounts: map[tenancy.Account]int64{}}
}

// Held are bytes that are counted as in flight. The zero Held has none.
type Held struct {
	of      *InFlight
	account tenancy.Account
	bytes   int64
}

// Acquire counts n bytes more, until Release. Errors: ErrAccountInFlight if the
// account, ErrInFlight if all accounts together would have too many.
func (f *InFlight) Acquire(account tenancy.Account, n int64) (Held, error) {
	if err := f.count(account, n); err != nil {
		return Held{}, err
	}
	f.changed(n)
	return Held{of: f, account: account, bytes: n}, nil
}

func (f *InFlight) count(account tenancy.Account, n int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	mine := f.accounts[account] + n
	switch {
	case mine > f.limits.Account:
		return ErrAccountInFlight
	case f.all+n > f.limits.All && mine > minAccountInFlight:
		return ErrInFlight
	}
	f.all += n
	f.accounts[account] = mine
	return nil
}

// Resize sets the number of bytes to the actual one. A larger number is not refused:
// the memory is in use already.
func (h *Held) Resize(n int64) {
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

// Release ends the count. It may be called more than once.
func (h *Held) Release() {
	h.Resize(0)
	h.of = nil
}
