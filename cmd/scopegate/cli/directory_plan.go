package cli

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

// plan is the difference between two states of the directory, each part by id.
type plan struct {
	added, removed           []tenancy.Company
	changed                  []companyChange
	grantsAdded, grantsTaken []tenancy.Grant
}

type companyChange struct{ from, to tenancy.Company }

func (c companyChange) moved() bool   { return c.from.ParentID != c.to.ParentID }
func (c companyChange) renamed() bool { return c.from.Name != c.to.Name }

// errNotThere: deletes that found nothing.
var errNotThere = errors.New("not all that was to be removed was there: another producer was at it, or has stored it " +
	"under an _id of its own; `scopegate directory show` tells what is")

func (d *draft) plan() plan {
	var p plan
	for _, id := range sortedIDs(d.is.companies) {
		to := d.is.companies[id]
		switch from, there := d.was.companies[id]; {
		case !there:
			p.added = append(p.added, to)
		case from != to:
			p.changed = append(p.changed, companyChange{from, to})
		}
	}
	for _, id := range sortedIDs(d.was.companies) {
		if _, there := d.is.companies[id]; !there {
			p.removed = append(p.removed, d.was.companies[id])
		}
	}
	for _, g := range sortedGrants(d.is.grants) {
		if !d.was.grants[g] {
			p.grantsAdded = append(p.grantsAdded, g)
		}
	}
	for _, g := range sortedGrants(d.was.grants) {
		if !d.is.grants[g] {
			p.grantsTaken = append(p.grantsTaken, g)
		}
	}
	return p
}

// size is the number of records that differ.
func (p plan) size() int {
	return len(p.added) + len(p.removed) + len(p.changed) + len(p.grantsAdded) + len(p.grantsTaken)
}

// companies are those that anything of it is about.
func (p plan) companies() []tenancy.CompanyID {
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
func (p plan) steps() [][]session.Change {
	var gone, companies, grants []session.Change
	for _, g := range p.grantsTaken {
		gone = append(gone, session.Change{Kind: session.KindGrant, Delete: true, Grant: g})
	}
	for _, c := range p.removed {
		gone = append(gone, session.Change{Kind: session.KindCompany, Delete: true, Company: c})
	}
	for _, c := range p.changed {
		if root := c.from; c.moved() && p.size() > 1 {
			root.ParentID = 0
			gone = append(gone, session.Change{Kind: session.KindCompany, Company: root})
		}
		companies = append(companies, session.Change{Kind: session.KindCompany, Company: c.to})
	}
	for _, c := range p.added {
		companies = append(companies, session.Change{Kind: session.KindCompany, Company: c})
	}
	for _, g := range p.grantsAdded {
		grants = append(grants, session.Change{Kind: session.KindGrant, Grant: g})
	}
	return [][]session.Change{gone, companies, grants}
}

// events are what the audit is told, one of each change.
func (p plan) events() []audit.Event {
	var events []audit.Event
	add := func(action string, details ...slog.Attr) {
		events = append(events, audit.Event{Action: action, Details: details})
	}
	for _, c := range p.removed {
		add("company.remove", companyAttr(c.ID), parentAttr("old_parent", c.ParentID))
	}
	for _, c := range p.changed {
		action := "company.move"
		if !c.moved() {
			action = "company.rename"
		}
		add(action, companyAttr(c.to.ID), parentAttr("old_parent", c.from.ParentID),
			parentAttr("new_parent", c.to.ParentID), slog.Bool("renamed", c.renamed()))
	}
	for _, c := range p.added {
		add("company.add", companyAttr(c.ID), parentAttr("new_parent", c.ParentID))
	}
	for _, g := range p.grantsTaken {
		add("grant.remove", grantAttrs(g)...)
	}
	for _, g := range p.grantsAdded {
		add("grant.add", grantAttrs(g)...)
	}
	return events
}

func companyAttr(id tenancy.CompanyID) slog.Attr { return slog.Uint64("company", uint64(id)) }

// parentAttr is null for a root.
func parentAttr(name string, id tenancy.CompanyID) slog.Attr {
	if id == 0 {
		return slog.Any(name, nil)
	}
	return slog.Uint64(name, uint64(id))
}

func grantAttrs(g tenancy.Grant) []slog.Attr {
	return []slog.Attr{companyAttr(g.CompanyID), slog.String("issuer", g.Account.Issuer), slog.String("subject", g.Account.Subject)}
}

// lines tell the difference, for people.
func (p plan) lines() []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, c := range p.removed {
		add("- company %d %q, %s", c.ID, c.Name, under(c.ParentID))
	}
	for _, c := range p.changed {
		if c.moved() {
			add("~ company %d %q: %s, was %s", c.to.ID, c.to.Name, under(c.to.ParentID), under(c.from.ParentID))
		}
		if c.renamed() {
			add("~ company %d %q: was %q", c.to.ID, c.to.Name, c.from.Name)
		}
	}
	for _, c := range p.added {
		add("+ company %d %q, %s", c.ID, c.Name, under(c.ParentID))
	}
	for _, g := range p.grantsTaken {
		add("- grant of company %d to %q of %q", g.CompanyID, g.Account.Subject, g.Account.Issuer)
	}
	for _, g := range p.grantsAdded {
		add("+ grant of company %d to %q of %q", g.CompanyID, g.Account.Subject, g.Account.Issuer)
	}
	return lines
}

// under says where a company is.
func under(parent tenancy.CompanyID) string {
	if parent == 0 {
		return "a root"
	}
	return fmt.Sprintf("below %d", parent)
}
