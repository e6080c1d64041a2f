package tenancy

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// MaxCompanyID is the largest company id: ids are positive signed 32-bit
// integers, so that they fit an indexed integer of either engine.
const MaxCompanyID CompanyID = 1<<31 - 1

// MaxCompanyName is the longest company name, in characters.
const MaxCompanyName = 1000

// ErrInvalidRecord marks a company or grant that cannot be in a directory.
var ErrInvalidRecord = errors.New("invalid directory record")

// CompanyID identifies a company (a tenant); 1 … 2³¹−1, 0 means none.
type CompanyID uint32

// Valid reports whether the id is in 1 … 2³¹−1.
func (id CompanyID) Valid() bool { return id >= 1 && id <= MaxCompanyID }

// Company is one node of the directory's tree.
type Company struct {
	ID       CompanyID
	Name     string
	ParentID CompanyID // 0: a root
}

// Validate reports every reason why the company cannot be in a directory, as
// one error that wraps ErrInvalidRecord.
func (c Company) Validate() error {
	var faults []error
	if !c.ID.Valid() {
		faults = append(faults, fmt.Errorf("id: must be 1 to %d", MaxCompanyID))
	}
	if c.ParentID > MaxCompanyID {
		faults = append(faults, fmt.Errorf("parentId: must be 1 to %d, or null", MaxCompanyID))
	}
	if n := utf8.RuneCountInString(c.Name); n == 0 || n > MaxCompanyName {
		faults = append(faults, fmt.Errorf("name: must have 1 to %d characters", MaxCompanyName))
	}
	return invalidRecord(faults)
}

// Account identifies a caller across issuers: two issuers may use one subject
// for different people (RFC 7519, section 4.1.2).
type Account struct {
	Issuer  string
	Subject string
}

// Grant gives an account a further company, and, if it may supervise, all
// companies below it.
type Grant struct {
	Account   Account
	CompanyID CompanyID
}

// Validate reports every reason why the grant cannot be in a directory, as one
// error that wraps ErrInvalidRecord.
func (g Grant) Validate() error {
	var faults []error
	if g.Account.Issuer == "" {
		faults = append(faults, errors.New("issuer: must not be empty"))
	}
	if g.Account.Subject == "" {
		faults = append(faults, errors.New("subject: must not be empty"))
	}
	if !g.CompanyID.Valid() {
		faults = append(faults, fmt.Errorf("companyId: must be 1 to %d", MaxCompanyID))
	}
	return invalidRecord(faults)
}

func invalidRecord(faults []error) error {
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalidRecord, errors.Join(faults...))
}
