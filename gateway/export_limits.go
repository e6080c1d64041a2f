package gateway

import (
	"cmp"
	"errors"
	"time"

	"github.com/scopegate/scopegate/search/export"
)

// Exports bound what exports may use. A zero value is the default.
type Exports struct {
	AtOnce     int   // exports running at once
	PerAccount int   // of these, exports of one account
	PerCompany int   // of these, exports of all accounts of a company; 0: AtOnce
	MaxRows    int64 // rows of one export
	// StallTimeout is how long one write may wait for the reader. A slower reader is
	// cut off.
	StallTimeout time.Duration
	// MaxDuration is how long an export may run. It holds a snapshot of the engine
	// for that time.
	MaxDuration time.Duration
	// RecheckEvery is the interval at which a running export checks that its token is
	// not revoked and that its caller may still see its companies.
	RecheckEvery time.Duration
	// Temp is where XLSX workbooks are built; nil: the system's temporary folder,
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
