package searchtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// writeChecks change what is stored. Each uses companies of its own: two if it
// moves sessions.
func writeChecks() []check {
	steps := []struct {
		name string
		run  func(ctx context.Context, e *env, own, other tenancy.CompanyID) error
	}{
		{"a new session is found at once", writeNew},
		{"writing again changes nothing", writeAgain},
		{"an update replaces every field", writeUpdate},
		{"a session that moves leaves its old company", writeMove},
		{"a deleted session is gone", writeDelete},
		{"deleting what is not there is counted", writeMissing},
		{"changes of a batch apply in order", writeOrder},
		{"the last of several writes in a batch stands", writeTwice},
		{"a deleted session can come back", writeReturn},
		{"no changes are no error", writeNothing},
		{"companies and grants touch no session", writeDirectory},
		{"a write that is cancelled writes nothing", writeCancelled},
		{"ids are byte-exact", writeIDs},
		{"a hundred sessions in one batch", writeMany},
	}
	var all []check
	for i, step := range steps {
		own := writeCo + tenancy.CompanyID(2*i)
		all = append(all, check{"write/" + step.name, func(ctx context.Context, e *env) error {
			return step.run(ctx, e, own, own+1)
		}})
	}
	return all
}

// put writes sessions of the same name into a company.
func put(ctx context.Context, e *env, company tenancy.CompanyID, name string, ids ...string) error {
	var specs []spec
	for _, id := range ids {
		specs = append(specs, spec{id, company, values{"name": name, "createdAt": at(0), "tags": name, "status": name}})
	}
	docs, err := build(specs)
	if err != nil {
		return err
	}
	return e.write(ctx, docs...)
}

// upsert returns the change that writes such a session.
func upsert(company tenancy.CompanyID, id, name string) (session.Change, error) {
	doc, err := spec{id, company, values{"name": name}}.document()
	return session.Change{Kind: session.KindSession, Session: doc}, err
}

func gone(id string) session.Change {
	return session.Change{Kind: session.KindSession, Delete: true, SessionID: id}
}

func writeNew(ctx context.Context, e *env, own, _ tenancy.CompanyID) error {
	a := everything(own)
	return errors.Join(
		e.expect(ctx, a, ""), put(ctx, e, own, "newcomer", "v1"), e.expect(ctx, a, "v1"),
		put(ctx, e, own, "newcomer", "v2", "v3"), e.expect(ctx, a.find("newcom"), "v1 v2 v3"))
}

func writeAgain(ctx context.Context, e *env, own, _ tenancy.CompanyID) error {
	a := everything(own).find("again")
	var faults []error
	for range 3 {
		faults = append(faults, put(ctx, e, own, "again", "a1", "a2"), e.expect(ctx, a, "a1 a2"),
			e.expect(ctx, everything(own).where(search.Filter{Tags: []string{"again"}}), "a1 a2"))
	}
	return errors.Join(faults...)
}

func writeUpdate(ctx context.Context, e *env, own, _ tenancy.CompanyID) error {
	a := everything(own)
	return errors.Join(
		put(ctx, e, own, "before", "u1", "u2"), put(ctx, e, own, "after", "u1"),
		e.expect(ctx, a.find("before"), "u2"), e.expect(ctx, a.find("be"), "u2"), e.expect(ctx, a.find("after"), "u1"),
		e.expect(ctx, a.where(search.Filter{Tags: []string{"before"}}), "u2"),
		e.expect(ctx, a.where(search.Filter{Status: []string{"after"}}), "u1"),
		e.expect(ctx, a.by("name"), "u1 u2"), e.expect(ctx, a, "u1 u2"))
}

func writeMove(ctx context.Context, e *env, own, other tenancy.CompanyID) error {
	return errors.Join(
		put(ctx, e, own, "mover", "m1", "m2"),
		e.expect(ctx, everything(own), "m1 m2"), e.expect(ctx, everything(other), ""),
		put(ctx, e, other, "mover", "m1"),
		e.expect(ctx, everything(own), "m2"), e.expect(ctx, everything(other), "m1"),
		e.expect(ctx, everything(own).find("mover"), "m2"), e.expect(ctx, everything(other).find("mover"), "m1"),
		e.expect(ctx, everything(own).where(search.Filter{SessionID: "m1"}), ""),
		e.expect(ctx, everything(own, other), "m1 m2"))
}

func writeDelete(ctx context.Context, e *env, own, _ tenancy.CompanyID) error {
	a := everything(own)
	return errors.Join(
		put(ctx, e, own, "leaver", "l1", "l2", "l3"), wrote(session.Written{Deleted: 2})(e.remove(ctx, "l1", "l3")),
		e.expect(ctx, a, "l2"), e.expect(ctx, a.find("leaver"), "l2"), e.expect(ctx, a.find("le"), "l2"),
		e.expect(ctx, a.where(search.Filter{Tags: []string{"leaver"}}), "l2"),
		e.expect(ctx, a.where(search.Filter{SessionID: "l1"}), ""))
}

// wrote compares the counts of a write with the expected ones.
func wrote(want session.Written) func(session.Written, error) error {
	return func(got session.Written, err error) error {
		if err == nil && got != want {
			return fmt.Errorf("written (-want +got):\n%s", cmp.Diff(want, got))
		}
		return err
	}
}

func writeMissing(ctx context.Context, e *env, own, _ tenancy.CompanyID) error {
	return errors.Join(
		put(ctx, e, own, "stayer", "i1"),
		wrote(session.Written{Deleted: 1, Missing: 2})(e.remove(ctx, "no-such-session", "i1", "i1")),
		wrote(session.Written{Missing: 1})(e.remove(ctx, "i1")),
		e.expect(ctx, everything(own), ""))
}

func writeOrder(ctx context.Context, e *env, own, _ tenancy.CompanyID) error {
	first, err1 := upsert(own, "r1", "fleeting")
	second, err2 := upsert(own, "r2", "lasting")
	return errors.Join(err1, err2,
		wrote(session.Written{Upserted: 2, Deleted: 1, Missing: 1})(
			e.apply(ctx, []session.Change{first, gone("r1"), gone("r2"), second})),
		e.expect(ctx, everything(own), "r2"), e.expect(ctx, everything(own).find("fleeting"), ""))
}

func writeTwice(ctx context.Context, e *env, own, other tenancy.CompanyID) error {
	first, err1 := upsert(own, "q1", "former")
	second, err2 := upsert(other, "q1", "latter")
	_, err := e.apply(ctx, []session.Change{first, second})
	return errors.Join(err1, err2, err,
		e.expect(ctx, everything(own), ""), e.expect(ctx, everything(other).find("latter"), "q1"),
		e.expect(ctx, everything(own, other).find("former"), ""))
}

func writeReturn(ctx context.Context, e *env, own, other tenancy.CompanyID) error {
	_, err := e.remove(ctx, "b1")
	return errors.Join(err,
		put(ctx, e, own, "once", "b1"), wrote(session.Written{Deleted: 1})(e.remove(ctx, "b1")),
		put(ctx, e, other, "again", "b1"),
		e.expect(ctx, everything(own, other), "b1"), e.expect(ctx, everything(own, other).find("once"), ""))
}

func writeNothing(ctx context.Context, e *env, own, _ tenancy.CompanyID) error {
	return errors.Join(wrote(session.Written{})(e.apply(ctx, nil)), e.expect(ctx, everything(own), ""))
}

func writeDirectory(ctx context.Context, e *env, own, _ tenancy.CompanyID) error {
	company := tenancy.Company{ID: own, Name: "Acme of nowhere"}
	grant := tenancy.Grant{Account: tenancy.Account{Issuer: "https://issuer.invalid", Subject: "somebody"}, CompanyID: own}
	return errors.Join(
		put(ctx, e, own, "resident", "c1"),
		wrote(session.Written{Upserted: 2})(e.apply(ctx, []session.Change{
			{Kind: session.KindCompany, Company: company}, {Kind: session.KindGrant, Grant: grant}})),
		e.expect(ctx, everything(own), "c1"), e.expect(ctx, everything(own).find("acme"), ""),
		wrote(session.Written{Deleted: 1, Missing: 1})(e.apply(ctx, []session.Change{
			{Kind: session.KindGrant, Delete: true, Grant: grant}, {Kind: session.KindGrant, Delete: true, Grant: grant}})),
		e.expect(ctx, everything(own), "c1"))
}

func writeCancelled(ctx context.Context, e *env, own, _ tenancy.CompanyID) error {
	change, err := upsert(own, "n-never", "never")
	dead, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := e.engine.Write(dead, []session.Change{change}); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("a cancelled write: error %w, want %w", err, context.Canceled)
	}
	return errors.Join(err, e.expect(ctx, everything(own), ""))
}

func writeIDs(ctx context.Context, e *env, own, _ tenancy.CompanyID) error {
	return errors.Join(
		put(ctx, e, own, "ids", "id-A", "id-a", "id-é", "id-e\u0301", "id-a "),
		wrote(session.Written{Deleted: 1})(e.remove(ctx, "id-A")),
		e.expect(ctx, everything(own), "id-a id-a  id-e\u0301 id-é"),
		e.expect(ctx, everything(own).where(search.Filter{SessionID: "id-a"}), "id-a"))
}

func writeMany(ctx context.Context, e *env, own, _ tenancy.CompanyID) error {
	var ids []string
	for i := range 100 {
		ids = append(ids, fmt.Sprintf("h%02d", i))
	}
	if err := put(ctx, e, own, "crowd", ids...); err != nil {
		return err
	}
	return errors.Join(
		counts(everything(own).find("crowd"), 100)(ctx, e), counts(everything(own), 100)(ctx, e),
		wrote(session.Written{Deleted: 100})(e.remove(ctx, ids...)), counts(everything(own), 0)(ctx, e))
}
