package session

import (
	"context"
	"fmt"

	"github.com/scopegate/scopegate/tenancy"
)

// Kind is the kind of record that a Change is about.
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
	// Company is set for KindCompany; a delete uses its ID only.
	Company tenancy.Company
	// Grant is set for KindGrant; the whole grant is its identity.
	Grant tenancy.Grant
}

// CompanyID returns the record's company; 0 when deleting a session, which is
// identified by its id alone.
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

// Written counts the effects of a batch of changes.
type Written struct {
	Upserted int
	Deleted  int
	Missing  int // deletes of records that did not exist
}

// Unfit is a stored record that today's rules refuse, because an earlier version or
// another producer stored it.
type Unfit struct {
	Kind     Kind
	ID       string // "": not known
	Document []byte // as stored, in one line; nil when it cannot be read
	Err      error  // ErrDocument, or tenancy.ErrInvalidRecord
}

// RefusedError lists changes that an engine refuses now and on every retry.
type RefusedError struct {
	Refused []Refusal // at least one, ordered by Change
}

// Refusal is one change that an engine refuses.
type Refusal struct {
	Change int    // index among the changes given to Write
	Reason string // contains no value of the record
}

// Error names the first reason.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%d changes refused, the first because: %s", len(e.Refused), e.Refused[0].Reason)
}

// Writer stores changes.
type Writer interface {
	// Write applies the changes in order, all or none. Applying them again changes
	// nothing. Searches that begin after it returns see them. Errors:
	// ErrUnavailable, the context's error, or *RefusedError; with the last one all
	// other changes are written and counted.
	Write(ctx context.Context, changes []Change) (Written, error)
}
