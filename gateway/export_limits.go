package gateway

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/tenancy"
)

// Exports bound what exports may take. A zero value is the default.
type Exports struct {
	AtOnce     int // that run at once
	PerAccount int // of those, of one account
	PerCompany int // of those, of all accounts of a company; 0: as many as AtOnce
	MaxRows    int64
	// StallTimeout is how long a reader may take for what was written last; one
	// that takes longer is cut off.
	StallTimeout time.Duration
	// MaxDuration is how long an export may run, and so for how long it holds a
	// snapshot of the engine.
	MaxDuration time.Duration
	// RecheckEvery is how often its scope, and whether its token was taken back,
	// are asked anew.
	RecheckEvery time.Duration
	// Temp is where workbooks grow; nil: the system's folder for temporary files,
	// without a bound.
	Temp *export.Temp
}

// Defaults of Exports.
const (
	DefaultExportsAtOnce      = 8
	DefaultExportsPerAccount  = 2
	DefaultExportRows         = 5_000_000
	DefaultExportStallTimeout = 30 * time.Second
	DefaultExportMaxDuration  = time.Hour
	DefaultExportRecheck      = 10 * time.Second
)

func (e Exports) withDefaults() Exports {
	e.AtOnce = cmp.Or(e.AtOnce, DefaultExportsAtOnce)
	e.PerAccount = cmp.Or(e.PerAccount, DefaultExportsPerAccount)
	e.PerCompany = cmp.Or(e.PerCompany, e.AtOnce)
	e.MaxRows = cmp.Or(e.MaxRows, DefaultExportRows)
	e.StallTimeout = cmp.Or(e.StallTimeout, DefaultExportStallTimeout)
	e.MaxDuration = cmp.Or(e.MaxDuration, DefaultExportMaxDuration)
	e.RecheckEvery = cmp.Or(e.RecheckEvery, DefaultExportRecheck)
	return e
}

func (e Exports) validate() error {
	if e.AtOnce < 0 || e.PerAccount < 0 || e.PerCompany < 0 || e.MaxRows < 0 || e.StallTimeout < 0 || e.MaxDuration < 0 || e.RecheckEvery < 0 {
		return errors.New("nothing of Exports must be negative")
	}
	return nil
}

// exportSlots count the exports that run in this process.
type exportSlots struct {
	atOnce, perAccount, perCompany int

	mu        sync.Mutex
	all       int
	accounts  map[tenancy.Account]int
	companies map[tenancy.CompanyID]int
}

func newExportSlots(e Exports) *exportSlots {
	return &exportSlots{
		atOnce: e.AtOnce, perAccount: e.PerAccount, perCompany: e.PerCompany,
		accounts: make(map[tenancy.Account]int), companies: make(map[tenancy.CompanyID]int),
	}
}

// acquire counts one more, until it is given back; false when there are as many as
// may be.
func (s *exportSlots) acquire(account tenancy.Account, company tenancy.CompanyID) (release func(), ok bool) {
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

func (s *exportSlots) release(account tenancy.Account, company tenancy.CompanyID) {
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
