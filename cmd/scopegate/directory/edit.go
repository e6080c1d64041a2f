package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/scopegate/scopegate/audit"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// RefusedError is for what cannot be done as the directory is; nothing was.
type RefusedError struct{ reason error }

func (e *RefusedError) Error() string { return e.reason.Error() }

func (e *RefusedError) Unwrap() error { return e.reason }

// Refused makes a RefusedError, like fmt.Errorf.
func Refused(format string, args ...any) error {
	return &RefusedError{fmt.Errorf(format, args...)}
}

// Edit is a change that a command asks for.
type Edit struct {
	Command string               // as it is typed: "directory grant"
	Asked   audit.Event          // what was asked for, when it comes to no change
	Read    func() error         // reads the input, or refuses it; nil: there is none
	Make    func(d *Draft) error // refuses, or makes the change in the draft; again if the directory has changed
	Allow   bool                 // what makes for new problems too
	DryRun  bool
}

// Store is what Edit.Run needs of an engine.
type Store interface {
	Load(ctx context.Context) (tenancy.Records, error)
	EditDirectory(ctx context.Context, f func(tenancy.Records) ([][]session.Change, error)) (session.Written, error)
}

// Run reads the directory, makes the change and writes the difference, which it
// returns beside an error too. Nobody else edits the directory meanwhile. Errors: a
// RefusedError, with nothing written; ErrNotThere; those of the store.
func (e Edit) Run(ctx context.Context, store Store) (p Plan, err error) {
	if e.DryRun {
		before, err := store.Load(ctx)
		if err != nil {
			return Plan{}, err
		}
		return e.plan(before)
	}
	var refusal error
	written, err := store.EditDirectory(ctx, func(before tenancy.Records) ([][]session.Change, error) {
		p, refusal = e.plan(before)
		return p.steps(), refusal
	})
	switch {
	case refusal != nil:
		return Plan{}, err // nothing of it is to be on record as a change
	case errors.Is(err, search.ErrConflict):
		return Plan{}, Refused("others keep changing the directory at the same time; nothing was changed: try again")
	case err == nil && written.Missing > 0:
		err = errNotThere
	}
	return p, err
}

// plan is the difference that the edit makes of a directory, beside a refusal of
// what it would leave too.
func (e Edit) plan(before tenancy.Records) (Plan, error) {
	d := NewDraft(before)
	if err := e.Make(d); err != nil {
		return Plan{}, err
	}
	return d.plan(), e.check(before, d)
}

// check refuses what makes the directory worse than it was.
func (e Edit) check(before tenancy.Records, d *Draft) error {
	if e.Allow {
		return nil
	}
	if found := newProblems(before, d.Records()); len(found) > 0 {
		return Refused("%s", listed("this would leave the directory with problems", found))
	}
	return nil
}

// Record writes a line for each change, or one for an action that came to none.
func (e Edit) Record(ctx context.Context, to *audit.Log, actor string, uid slog.Attr, p Plan, err error) error {
	outcome := outcomeOf(err)
	events := p.events()
	if len(events) == 0 {
		if outcome == audit.Done {
			outcome = audit.Unchanged
		}
		events = []audit.Event{e.Asked}
	}
	for i := range events {
		events[i].Actor, events[i].Outcome = actor, outcome
		events[i].Details = append(events[i].Details, slog.String("command", e.Command), uid)
	}
	if err := to.Write(ctx, events...); err != nil {
		return fmt.Errorf("the audit lines are not written, although the outcome is %q: %w", outcome, err)
	}
	return nil
}

func outcomeOf(err error) audit.Outcome {
	var refusal *RefusedError
	switch {
	case err == nil:
		return audit.Done
	case errors.As(err, &refusal):
		return audit.Refused
	}
	return audit.Failed
}

// Move refuses a parent that is not there, or is the company or below it.
func Move(d *Draft, id, parent tenancy.CompanyID) error {
	company, err := d.Company(id)
	if err != nil {
		return err
	}
	if parent != 0 {
		if _, err := d.Company(parent); err != nil {
			return err
		}
	}
	seen := map[tenancy.CompanyID]bool{} // the way up may be a circle already
	for at := parent; at != 0 && !seen[at]; at = d.is.companies[at].ParentID {
		if at == id {
			return Refused("company %d cannot be below company %d: that is company %[1]d itself, or below it", id, parent)
		}
		seen[at] = true
	}
	company.ParentID = parent
	d.Apply(session.Change{Kind: session.KindCompany, Company: company})
	return nil
}
