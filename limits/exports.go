package limits

import (
	"sync"

	"github.com/scopegate/scopegate/tenancy"
)

// Exports counts the exports that run in this process. Safe for use by several
// goroutines.
type Exports struct {
	atOnce, perAccount, perCompany int

	mu        sync.Mutex
	all       int
	accounts  map[tenancy.Account]int
	companies map[tenancy.CompanyID]int
}

// NewExports allows atOnce exports at a time, perAccount of them for one account, and
// perCompany for all accounts of one company.
func NewExports(atOnce, perAccount, perCompany int) *Exports {
	return &Exports{
		atOnce: atOnce, perAccount: perAccount, perCompany: perCompany,
		accounts: make(map[tenancy.Account]int), companies: make(map[tenancy.CompanyID]int),
	}
}

// Acquire counts one export more, until release is called once. It returns false if
// there are too many already.
func (s *Exports) Acquire(account tenancy.Account, company tenancy.CompanyID) (release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= s.atOnce || s.accounts[account] >= s.perAccount || s.companies[company] >= s.perCompany {
		return nil, false
	}
	s.all++
	s.accounts[account]++
	s.companies[company]++
	return func() { s.release(account, company) }, true
}

func (s *Exports) release(account tenancy.Account, company tenancy.CompanyID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.accounts[account]--; s.accounts[account] == 0 {
		delete(s.accounts, account)
	}
	if s.companies[company]--; s.companies[company] == 0 {
		delete(s.companies, company)
	}
}
