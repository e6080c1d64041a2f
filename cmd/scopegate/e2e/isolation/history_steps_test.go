package isolation_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// begin goes from wherever the last history ended to a drawn directory.
func (h *history) begin(rt *rapid.T) {
	next := h.now.clone()
	var changes []session.Change
	for id := tenancy.CompanyID(1); id <= historyCompanies; id++ {
		if rapid.IntRange(0, 5).Draw(rt, fmt.Sprintf("company %d", id)) == 0 {
			changes = append(changes, next.take(id))
			continue
		}
		changes = append(changes, next.put(id, drawCompany(rt, 0, "parent")))
	}
	for grant := range maps.Clone(next.grants) {
		changes = append(changes, next.toggle(grant))
	}
	for range rapid.IntRange(0, 4).Draw(rt, "grants") {
		changes = append(changes, next.toggle(next.drawGrant(rt)))
	}
	h.earlier = nil
	h.change(rt, next, changes)
	next = h.now.clone()
	for i := range next.accounts {
		next.accounts[i].refused = ""
	}
	h.revocate(rt, next)
}

func drawCompany(rt *rapid.T, least int, label string) tenancy.CompanyID {
	return tenancy.CompanyID(rapid.IntRange(least, historyCompanies).Draw(rt, label))
}

// put makes the company, or moves it: also below itself, or below one that is
// not there.
func (m moment) put(id, parent tenancy.CompanyID) session.Change {
	m.parent[id] = parent
	return session.Change{Kind: session.KindCompany, Company: tenancy.Company{ID: id, Name: companyName(id), ParentID: parent}}
}

func (m moment) take(id tenancy.CompanyID) session.Change {
	delete(m.parent, id)
	return session.Change{Kind: session.KindCompany, Delete: true, Company: tenancy.Company{ID: id}}
}

func (m moment) drawGrant(rt *rapid.T) tenancy.Grant {
	a := m.accounts[rapid.IntRange(0, len(m.accounts)-1).Draw(rt, "account")]
	return tenancy.Grant{Account: tenancy.Account{Issuer: a.issuer, Subject: a.subject}, CompanyID: drawCompany(rt, 1, "granted")}
}

// toggle gives what is not granted, and takes what is.
func (m moment) toggle(grant tenancy.Grant) session.Change {
	if m.grants[grant] {
		delete(m.grants, grant)
		return session.Change{Kind: session.KindGrant, Delete: true, Grant: grant}
	}
	m.grants[grant] = true
	return session.Change{Kind: session.KindGrant, Grant: grant}
}

// lineOf is the change as an import has it.
func lineOf(c session.Change) string {
	var line string
	switch {
	case c.Kind == session.KindGrant:
		line = fmt.Sprintf(`{"type": "grant", "doc": {"issuer": %q, "subject": %q, "companyId": %d}}`,
			c.Grant.Account.Issuer, c.Grant.Account.Subject, c.Grant.CompanyID)
	case c.Delete:
		line = fmt.Sprintf(`{"type": "company", "doc": {"id": %d}}`, c.Company.ID)
	default:
		line = canaryCompanyLine(c.Company.ID, c.Company.ParentID)
	}
	if c.Delete {
		line = strings.Replace(line, `", "doc"`, `", "op": "delete", "doc"`, 1)
	}
	return line
}

func (h *history) move(rt *rapid.T) {
	next := h.now.clone()
	id := drawCompany(rt, 1, "company")
	h.change(rt, next, []session.Change{next.put(id, drawCompany(rt, 0, "parent"))})
}

func (h *history) remove(rt *rapid.T) {
	next := h.now.clone()
	h.change(rt, next, []session.Change{next.take(drawCompany(rt, 1, "company"))})
}

func (h *history) grant(rt *rapid.T) {
	next := h.now.clone()
	h.change(rt, next, []session.Change{next.toggle(next.drawGrant(rt))})
}

// change writes, by a command or beside it, and waits until the gateway has
// taken it.
func (h *history) change(rt *rapid.T, next moment, changes []session.Change) {
	h.changes++
	h.generation++
	old := h.now
	h.now = next
	if rapid.Bool().Draw(rt, "by import") {
		lines := make([]string, len(changes))
		for i, c := range changes {
			lines[i] = lineOf(c)
		}
		harness.ImportLinesInto(h.t, h.at, lines...)
	} else {
		h.write(rt, changes...)
	}
	// The mark is written when the rest is there, so what shows it shows the rest.
	name := fmt.Sprintf("generation %d", h.generation)
	h.write(rt, session.Change{Kind: session.KindCompany, Company: tenancy.Company{ID: markCompany, Name: name}})
	marked := func() bool {
		return bytes.Contains(h.mustAsk(rt, h.mark, asked{target: "/api/v1/me"}).Body, []byte(`"`+name+`"`))
	}
	if len(changes) > 1 {
		// Not every engine writes several as one: what is between them is neither
		// old nor new.
		harness.Within(h.t, harness.RevocationBound, "a new directory", marked)
		old = h.now
	}
	h.await(rt, old, marked)
}

func (h *history) write(rt *rapid.T, changes ...session.Change) {
	if _, err := h.store.Write(h.t.Context(), changes); err != nil {
		rt.Fatal(err)
	}
}

// revoke takes an account's token back, or all tokens of the account, or makes
// them good again.
func (h *history) revoke(rt *rapid.T) {
	next := h.now.clone()
	i := rapid.IntRange(0, len(next.accounts)-1).Draw(rt, "account")
	next.accounts[i].refused = map[string]string{"": saysInvalid, saysInvalid: ""}[next.accounts[i].refused]
	h.revocate(rt, next)
}

// revocate writes the file and waits. The mark is a token of its own.
func (h *history) revocate(rt *rapid.T, next moment) {
	h.changes++
	h.generation++
	old := h.now
	h.now = next
	id := fmt.Sprintf("generation-%d", h.generation)
	lines := fmt.Sprintf("{\"jti\": %q}\n", id)
	for i, a := range next.accounts {
		switch {
		case a.refused == "":
		case i%2 == 0:
			lines += fmt.Sprintf("{\"jti\": %q}\n", a.subject)
		default:
			lines += fmt.Sprintf("{\"issuer\": %q, \"subject\": %q, \"before\": %q}\n", a.issuer, a.subject, time.Now().Add(time.Hour).Format(time.RFC3339))
		}
	}
	mark := h.mark
	mark.token = h.issuer.Token(h.t, tenancytest.Claims{Subject: "mark", Company: markCompany, Extra: map[string]any{"jti": id}})
	harness.Rename(h.t, h.revocations, lines)
	h.await(rt, old, func() bool { return h.mustAsk(rt, mark, asked{target: "/api/v1/me"}).Status == http.StatusUnauthorized })
}

// await asks until the change is in force. Each answer up to then is that of
// before or that of after, and no longer that of before when one was that of
// after.
func (h *history) await(rt *rapid.T, old moment, done func() bool) {
	selections := []selection{{all: true}, {}, {companies: []tenancy.CompanyID{2}, all: true}, {companies: []tenancy.CompanyID{5}}}
	changed := false
	deadline := time.Now().Add(harness.RevocationBound)
	for turn := 0; ; turn++ {
		account := turn % len(h.now.accounts)
		q := inquiry{selection: selections[turn/len(h.now.accounts)%len(selections)], limit: 2, fields: []string{"id", "companyName"}}
		before := q.answeredTo(old.tenants, old.accounts[account], nextTarget(q.byURL()))
		after := q.answeredTo(h.now.tenants, h.now.accounts[account], nextTarget(q.byURL()))
		r := h.mustAsk(rt, h.now.accounts[account], q.byURL())
		h.answers++
		isOld, isNew := before.fault(r, unknown, http.MethodGet), after.fault(r, unknown, http.MethodGet)
		if isNew != "" && (isOld != "" || changed) {
			rt.Fatalf("%s asks for %+v while things change: not what it was: %s\nnor what it is to be: %s", h.now.accounts[account].name, q.selection, isOld, isNew)
		}
		if isNew != "" {
			h.between++
		}
		changed = changed || isNew == "" && isOld != ""
		if done() {
			return
		}
		time.Sleep(time.Millisecond) // the engine needs the machine too
		if time.Now().After(deadline) {
			rt.Fatalf("a change is not in force after %s", harness.RevocationBound)
		}
	}
}

func (h *history) mustAsk(rt *rapid.T, c caller, a asked, headers ...string) harness.Reply {
	r, err := ask(h.t.Context(), h.Gateway, c, a, headers...)
	if err != nil {
		rt.Fatal(err)
	}
	return r
}

// drawInquiry draws from so few that the same is asked again and again.
func drawInquiry(rt *rapid.T, companies []tenancy.CompanyID) inquiry {
	s := selection{all: rapid.Bool().Draw(rt, "all"), list: rapid.Bool().Draw(rt, "by a list")}
	some := func(most int) *rapid.Generator[[]tenancy.CompanyID] {
		return rapid.SliceOfN(rapid.SampledFrom(companies), 0, most)
	}
	s.companies = some(2).Draw(rt, "companies")
	switch rapid.IntRange(0, 5).Draw(rt, "more") { // more often none: of several companies, one is often foreign
	case 0:
		s.branches, s.all = some(2).Draw(rt, "branches"), false
	case 1:
		s.exceptCompanies = some(2).Draw(rt, "excepted")
	case 2:
		s.exceptBranches = some(1).Draw(rt, "excepted branches")
	}
	return inquiry{
		selection: s, limit: rapid.IntRange(1, 3).Draw(rt, "limit"), byName: rapid.Bool().Draw(rt, "by name"),
		keyword: rapid.SampledFrom([]string{"", "", "canary-", "name-1"}).Draw(rt, "keyword"),
		fields:  rapid.SampledFrom([][]string{nil, {"id", "companyName"}}).Draw(rt, "fields"),
	}
}

// askAnything asks one thing of what there is, in anybody's name.
func (h *history) askAnything(rt *rapid.T) {
	account := rapid.IntRange(0, len(h.now.accounts)-1).Draw(rt, "account")
	c, id := h.now.accounts[account], drawCompany(rt, 1, "company")
	switch rapid.IntRange(0, 5).Draw(rt, "what") {
	case 0:
		h.holds(rt, c, asked{target: "/api/v1/me"}, whoAmI(h.now.tenants, c))
		return
	case 1:
		h.holds(rt, c, asked{target: "/api/v1/companies"}, companyTree(h.now.tenants, c, ""))
		return
	case 2:
		session := newCanarySession(id, 1).id
		h.holds(rt, c, asked{target: "/api/v1/sessions/" + session}, oneSession(h.now.tenants, c, session, nil))
		return
	}
	q := drawInquiry(rt, []tenancy.CompanyID{1, 2, 3, 4, 5, 6, 7, 8})
	a := q.byURL()
	if rapid.Bool().Draw(rt, "by body") {
		a = q.byBody()
	}
	want := q.answeredTo(h.now.tenants, c, nextTarget(a))
	r := h.holds(rt, c, a, want)
	if want.status == http.StatusOK {
		h.earlier = append(h.earlier, earlierPage{account, q, a, want, r.Header.Get("ETag"), r.Next()})
	}
}

func (h *history) holds(rt *rapid.T, c caller, a asked, want outcome, headers ...string) harness.Reply {
	h.answers++
	r := h.mustAsk(rt, c, a, headers...)
	if fault := want.fault(r, unknown, a.method); fault != "" {
		rt.Fatalf("%s asks %s %s %q: %s", c.name, a.target, a.body, headers, fault)
	}
	return r
}

func (h *history) drawPage(rt *rapid.T, fits func(earlierPage) bool) earlierPage {
	fitting := slices.DeleteFunc(slices.Clone(h.earlier), func(k earlierPage) bool { return !fits(k) })
	if len(fitting) == 0 {
		rt.Skip("nothing that fits was asked before")
	}
	return fitting[rapid.IntRange(0, len(fitting)-1).Draw(rt, "which")]
}

func hasNext(k earlierPage) bool { return k.was.last != nil }

// goOn uses a cursor of some time before: it says where, and today's scope says
// what.
func (h *history) goOn(rt *rapid.T) {
	k := h.drawPage(rt, hasNext)
	k.q.after = k.was.last
	want := k.q.answeredTo(h.now.tenants, h.now.accounts[k.account], nextTarget(k.asked))
	k.asked.target = k.next
	h.holds(rt, h.now.accounts[k.account], k.asked, want)
}

// askWithTag asks again with an ETag of some time before.
func (h *history) askWithTag(rt *rapid.T) {
	k := h.drawPage(rt, func(earlierPage) bool { return true })
	want := k.q.answeredTo(h.now.tenants, h.now.accounts[k.account], nextTarget(k.asked))
	if want.status == http.StatusOK && want.represents() == k.was.represents() {
		want.status = http.StatusNotModified
	}
	h.holds(rt, h.now.accounts[k.account], k.asked, want, "If-None-Match", k.tag)
}

// steal uses the cursor of another account.
func (h *history) steal(rt *rapid.T) {
	k := h.drawPage(rt, hasNext)
	other := (k.account + rapid.IntRange(1, len(h.now.accounts)-1).Draw(rt, "thief")) % len(h.now.accounts)
	want := problemOutcome(http.StatusBadRequest, "")
	if thief := h.now.accounts[other]; thief.refused != "" {
		want = problemOutcome(http.StatusUnauthorized, thief.refused)
	}
	k.asked.target = k.next
	h.holds(rt, h.now.accounts[other], k.asked, want)
}
