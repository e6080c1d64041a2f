package directory

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/scopegate/scopegate/audit"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Plan is the difference between two states of the directory, each part by id.
type Plan struct {
	Added, Removed           []tenancy.Company
	Changed                  []companyChange
	GrantsAdded, GrantsTaken []tenancy.Grant
}

type companyChange struct{ from, to tenancy.Company }

func (c companyChange) moved() bool   { return c.from.ParentID != c.to.ParentID }
func (c companyChange) renamed() bool { return c.from.Name != c.to.Name }

// errNotThere: deletes that found nothing.
var errNotThere = errors.New("not all that was to be removed was there: another producer was at it, or has stored it " +
	"under an _id of its own; `scopegate directory show` tells what is")

func (d *Draft) plan() Plan {
	var p Plan
	for _, id := range sortedIDs(d.is.companies) {
		to := d.is.companies[id]
		switch from, there := d.was.companies[id]; {
		case !there:
			p.Added = append(p.Added, to)
		case from != to:
			p.Changed = append(p.Changed, companyChange{from, to})
		}
	}
	for _, id := range sortedIDs(d.was.companies) {
		if _, there := d.is.companies[id]; !there {
			p.Removed = append(p.Removed, d.was.companies[id])
		}
	}
	for _, g := range sortedGrants(d.is.grants) {
		if !d.was.grants[g] {
			p.GrantsAdded = append(p.GrantsAdded, g)
		}
	}
	for _, g := range sortedGrants(d.was.grants) {
		if !d.is.grants[g] {
			p.GrantsTaken = append(p.GrantsTaken, g)
		}
	}
	return p
}

// Size is the number of records that differ.
func (p Plan) Size() int {
	return len(p.Added) + len(p.Removed) + len(p.Changed) + len(p.GrantsAdded) + len(p.GrantsTaken)
}

// Companies are those that anything of it is about.
func (p Plan) Companies() []tenancy.CompanyID {
	about := map[tenancy.CompanyID]bool{}
	for _, c := range slices.Concat(p.steps()...) {
		about[c.CompanyID()] = true
	}
	return slices.Sorted(maps.Keys(about))
}

// steps: first whatever is to go, moved companies becoming roots; then the
// companies; then the grants. A single change needs no more than itself.
//
// SECURITY: an engine without transactions may be read while only some changes of
// a step are in it, or for ever when the rest fails. The steps are such that a
// sound directory never shows more than it did before, or, from the second step
// on, than it will in the end.
func (p Plan) steps() [][]session.Change {
	var gone, companies, grants []session.Change
	for _, g := range p.GrantsTaken {
		gone = append(gone, session.Change{Kind: session.KindGrant, Delete: true, Grant: g})
	}
	for _, c := range p.Removed {
		gone = append(gone, session.Change{Kind: session.KindCompany, Delete: true, Company: c})
	}
	for _, c := range p.Changed {
		if root := c.from; c.moved() && p.Size() > 1 {
			root.ParentID = 0
			gone = append(gone, session.Change{Kind: session.KindCompany, Company: root})
		}
		companies = append(companies, session.Change{Kind: session.KindCompany, Company: c.to})
	}
	for _, c := range p.Added {
		companies = append(companies, session.Change{Kind: session.KindCompany, Company: c})
	}
	for _, g := range p.GrantsAdded {
		grants = append(grants, session.Change{Kind: session.KindGrant, Grant: g})
	}
	return [][]session.Change{gone, companies, grants}
}

// events are what the audit is told, one of each change.
func (p Plan) events() []audit.Event {
	var events []audit.Event
	add := func(action string, details ...slog.Attr) {
		events = append(events, audit.Event{Action: action, Details: details})
	}
	for _, c := range p.Removed {
		add("company.remove", CompanyAttr(c.ID), ParentAttr("old_parent", c.ParentID))
	}
	for _, c := range p.Changed {
		action := "company.move"
		if !c.moved() {
			action = "company.rename"
		}
		add(action, CompanyAttr(c.to.ID), ParentAttr("old_parent", c.from.ParentID),
			ParentAttr("new_parent", c.to.ParentID), slog.Bool("renamed", c.renamed()))
	}
	for _, c := range p.Added {
		add("company.add", CompanyAttr(c.ID), ParentAttr("new_parent", c.ParentID))
	}
	for _, g := range p.GrantsTaken {
		add("grant.remove", GrantAttrs(g)...)
	}
	for _, g := range p.GrantsAdded {
		add("grant.add", GrantAttrs(g)...)
	}
	return events
}

// CompanyAttr names a company in an audit event.
func CompanyAttr(id tenancy.CompanyID) slog.Attr { return slog.Uint64("company", uint64(id)) }

// ParentAttr is null for a root.
func ParentAttr(name string, id tenancy.CompanyID) slog.Attr {
	if id == 0 {
		return slog.Any(name, nil)
	}
	return slog.Uint64(name, uint64(id))
}

// GrantAttrs name a grant in an audit event.
func GrantAttrs(g tenancy.Grant) []slog.Attr {
	return []slog.Attr{CompanyAttr(g.CompanyID), slog.String("issuer", g.Account.Issuer), slog.String("subject", g.Account.Subject)}
}

// Lines tell the difference, for people.
func (p Plan) Lines() []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, c := range p.Removed {
		add("- company %d %q, %s", c.ID, c.Name, Under(c.ParentID))
	}
	for _, c := range p.Changed {
		if c.moved() {
			add("~ company %d %q: %s, was %s", c.to.ID, c.to.Name, Under(c.to.ParentID), Under(c.from.ParentID))
		}
		if c.renamed() {
			add("~ company %d %q: was %q", c.to.ID, c.to.Name, c.from.Name)
		}
	}
	for _, c := range p.Added {
		add("+ company %d %q, %s", c.ID, c.Name, Under(c.ParentID))
	}
	for _, g := range p.GrantsTaken {
		add("- grant of company %d to %q of %q", g.CompanyID, g.Account.Subject, g.Account.Issuer)
	}
	for _, g := range p.GrantsAdded {
		add("+ grant of company %d to %q of %q", g.CompanyID, g.Account.Subject, g.Account.Issuer)
	}
	return lines
}

// Under says where a company is.
func Under(parent tenancy.CompanyID) string {
	if parent == 0 {
		return "a root"
	}
	return fmt.Sprintf("below %d", parent)
}
