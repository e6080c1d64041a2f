package session

import (
	"context"
	"fmt"

	"github.com/scopegate/scopegate/tenancy"
)

// Kind is what a Change is about.
type Kind uint8

// The kinds of records an engine stores.
const (
	KindSession Kind = iota + 1
	KindCompany
	KindGrant
)

// Change is one write to an engine's store: an upsert by id, or a delete.
type Change struct {
	Kind   Kind
	Delete bool
	// Session is set for an upsert of KindSession.
	Session Document
	// SessionID is set for a delete of KindSession.
	SessionID string
	// Company is set for KindCompany; a delete looks at its ID only.
	Company tenancy.Company
	// Grant is set for KindGrant; it is its own identity.
	Grant tenancy.Grant
}

// CompanyID is the company that it is of; 0 for a delete of a session, which names
// none.
func (c Change) CompanyID() tenancy.CompanyID {
	switch {
	case c.Kind == KindCompany:
		return c.Company.ID
	case c.Kind == KindGrant:
		return c.Grant.CompanyID
	case c.Delete:
		return 0
	}
	return c.Session.CompanyID()
}

// Written counts what a batch of changes did.
type Written struct {
	Upserted int
	Deleted  int
	Missing  int // deletes of what was not there
}

// Unfit is a stored record that is none by the rules of today, as one that an
// earlier version or another producer has stored.
type Unfit struct {
	Kind     Kind
	ID       string // "": not known
	Document []byte // as it is stored, in one line; nil when it cannot be read
	Err      error  // ErrDocument, or tenancy.ErrInvalidRecord
}

// RefusedError tells which changes an engine does not take, whenever they come.
type RefusedError struct {
	Refused []Refusal // at least one, by Change
}

// Refusal is a change that an engine does not take.
type Refusal struct {
	Change int    // which of those given to Write
	Reason string // holds no value of the record
}

// Error tells the first reason.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%d changes refused, the first because: %s", len(e.Refused), e.Refused[0].Reason)
}

// Writer stores changes.
type Writer interface {
	// Write applies the changes in order, all or none. Applying them again
	// changes nothing. Searches that begin after it returns see them.
	// Errors: ErrUnavailable, the context's, or *RefusedError, beside which all
	// other changes are written and counted.
	Write(ctx context.Context, changes []Change) (Written, error)
}
