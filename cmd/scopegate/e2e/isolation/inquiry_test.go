package isolation_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// asked is a request as it goes out.
type asked struct {
	method string // "": GET
	target string
	body   string
	header []string // name, value, …
}

// inquiry is a search that the model can answer too.
type inquiry struct {
	selection

	keyword, sessionID         string
	limit                      int
	fields                     []string // none: all
	byName                     bool     // sorted by name, else the newest first
	withoutCount, withoutItems bool
	// unlike makes cache entries of its own, without a difference to what is
	// found.
	unlike int
	after  *canarySession // the last one of the page before
	// form is the file that it is to be; "" for none.
	form   export.Format
	zip    bool
	export bool // all that matches
}

// everythingSince is the date from which all sessions are; a millisecond later
// makes another search of it.
func (q inquiry) everythingSince() string {
	return time.UnixMilli(firstStart/2 + int64(q.unlike)).UTC().Format(session.DateLayout)
}

// parameters are name and value in turn, in the order in which a URL has them.
func (q inquiry) parameters() []string {
	p := []string{"from", q.everythingSince()}
	add := func(given bool, name string, value any) {
		if given {
			p = append(p, name, fmt.Sprint(value))
		}
	}
	add(q.limit > 0, "limit", q.limit)
	add(len(q.fields) > 0, "fields", strings.Join(q.fields, ","))
	add(q.byName, "sort", "name")
	add(q.withoutCount, "withoutCount", true)
	add(q.withoutItems, "withoutItems", true)
	add(q.keyword != "", "keyword", q.keyword)
	add(q.sessionID != "", "sessionId", q.sessionID)
	add(q.form != "", "format", q.form)
	add(q.zip, "zip", true)
	add(q.all, "showAllSupervised", true)
	add(len(q.companies) > 0 && !q.several(), "companyId", commas(q.companies))
	add(len(q.companies) > 0 && q.several(), "companyIds", commas(q.companies))
	add(len(q.branches) > 0, "branchIds", commas(q.branches))
	add(len(q.exceptCompanies) > 0, "exceptCompanyIds", commas(q.exceptCompanies))
	add(len(q.exceptBranches) > 0, "exceptBranchIds", commas(q.exceptBranches))
	return p
}

func (s selection) several() bool { return s.list || len(s.companies) > 1 || len(s.branches) > 0 }

func commas(companies []tenancy.CompanyID) string {
	ids := make([]string, len(companies))
	for i, id := range companies {
		ids[i] = fmt.Sprint(id)
	}
	return strings.Join(ids, ",")
}

// byURL asks with GET; what its values hold needs no escape.
func (q inquiry) byURL() asked {
	path := "/api/v1/sessions"
	if q.export {
		path += "/export"
	}
	return asked{target: path + "?" + strings.TrimSuffix(q.urlParameters(), "&")}
}

func (q inquiry) urlParameters() string {
	var b strings.Builder
	for pair := range slices.Chunk(q.parameters(), 2) {
		b.WriteString(pair[0] + "=" + pair[1] + "&")
	}
	return b.String()
}

// byBody asks with POST.
func (q inquiry) byBody() asked {
	members := make([]string, 0, 16)
	for pair := range slices.Chunk(q.parameters(), 2) {
		value := pair[1]
		switch pair[0] {
		case "companyIds", "branchIds", "exceptCompanyIds", "exceptBranchIds":
			value = "[" + value + "]"
		case "fields":
			value = `["` + strings.ReplaceAll(value, ",", `","`) + `"]`
		case "from", "keyword", "sessionId", "format":
			value = strconv.Quote(value)
		case "sort":
			value = `["` + value + `"]`
		}
		members = append(members, strconv.Quote(pair[0])+":"+value)
	}
	target := "/api/v1/sessions/search"
	if q.export {
		target = "/api/v1/sessions/export"
	}
	return asked{
		method: http.MethodPost, target: target, body: "{" + strings.Join(members, ",") + "}",
		header: []string{"Content-Type", "application/json"},
	}
}

// scopeOf is what the caller may ask this of, or why it is refused.
func (q inquiry) scopeOf(m *tenants, c caller) (scope []tenancy.CompanyID, refusal *outcome) {
	if c.refused != "" {
		return nil, new(problemOutcome(http.StatusUnauthorized, c.refused))
	}
	scope, refused := m.resolve(c, q.selection)
	if refused != "" {
		return nil, new(problemOutcome(http.StatusForbidden, refused))
	}
	return scope, nil
}

// answeredTo is what the model answers to the caller; next is what the target of
// its Link begins with.
func (q inquiry) answeredTo(m *tenants, c caller, next string) outcome {
	scope, refusal := q.scopeOf(m, c)
	if refusal != nil {
		return *refusal
	}
	found, count := q.find(m, scope)
	most := cmp.Or(q.limit, search.DefaultLimit)
	if q.export {
		most = cmp.Or(q.limit, len(found))
	}
	rows := found[:min(len(found), most)]
	v := outcome{status: http.StatusOK, scope: scope}
	if q.export {
		return q.exported(v, rows, count)
	}
	var members []string
	if !q.withoutCount {
		v.parts, members = append(v.parts, "count"), append(members, fmt.Sprintf(`"count":%d`, count))
	}
	if !q.withoutItems {
		items := make([]string, len(rows))
		for i := range rows {
			items[i] = rows[i].item(q.fields)
		}
		v.parts, members = append(v.parts, "page"), append(members, `"items":[`+strings.Join(items, ",")+`]`)
		if len(rows) < len(found) {
			v.last, v.next = &rows[len(rows)-1], next
			v.place = v.last.id + strconv.FormatBool(q.byName)
		}
	}
	v.body = "{" + strings.Join(members, ",") + "}"
	if q.form != "" {
		return q.exported(v, rows, count)
	}
	return v
}

// find is what matches behind the place where the page begins, in order, and how
// many match at all.
func (q inquiry) find(m *tenants, scope []tenancy.CompanyID) (found []canarySession, count int) {
	for _, s := range m.sessions {
		if !slices.Contains(scope, s.company) || q.sessionID != "" && s.id != q.sessionID || !s.holds(q.keyword) {
			continue
		}
		count++
		if q.after == nil || q.order(*q.after, s) < 0 {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, q.order)
	return found, count
}

func (q inquiry) order(a, b canarySession) int {
	if q.byName {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id))
	}
	return cmp.Or(cmp.Compare(b.started, a.started), cmp.Compare(a.id, b.id))
}

// oneSession is the verdict on GET /api/v1/sessions/{id}.
func oneSession(m *tenants, c caller, id string, fields []string) outcome {
	if c.refused != "" {
		return problemOutcome(http.StatusUnauthorized, c.refused)
	}
	sees := m.sees(c)
	if len(sees) == 0 {
		return problemOutcome(http.StatusForbidden, saysForbidden)
	}
	for _, s := range m.sessions {
		if s.id == id && slices.Contains(sees, s.company) {
			return outcome{status: http.StatusOK, body: s.item(fields), parts: []string{"page"}, scope: sees}
		}
	}
	return problemOutcome(http.StatusNotFound, saysNoSession)
}

// companyTree is the verdict on GET /api/v1/companies; those whose name lacks the
// text are left out.
func companyTree(m *tenants, c caller, text string) outcome {
	if c.refused != "" {
		return problemOutcome(http.StatusUnauthorized, c.refused)
	}
	sees := m.sees(c)
	if len(sees) == 0 {
		return problemOutcome(http.StatusForbidden, saysForbidden)
	}
	var items []string
	for _, node := range m.tree(sees) {
		if !strings.Contains(companyName(node.id), text) {
			continue
		}
		parent := "null"
		if node.parent != 0 {
			parent = fmt.Sprint(node.parent)
		}
		items = append(items, fmt.Sprintf(`{"id":%d,"name":%q,"parentId":%s,"depth":%d,"companiesBelow":%d}`,
			node.id, companyName(node.id), parent, node.depth, node.below))
	}
	body := fmt.Sprintf(`{"count":%d,"items":[%s]}`, len(items), strings.Join(items, ","))
	return outcome{status: http.StatusOK, body: body, scope: sees}
}

// whoAmI is the verdict on GET /api/v1/me.
func whoAmI(m *tenants, c caller) outcome {
	if c.refused != "" {
		return problemOutcome(http.StatusUnauthorized, c.refused)
	}
	sees := m.sees(c)
	if len(sees) == 0 {
		return problemOutcome(http.StatusForbidden, saysForbidden)
	}
	roles, err := json.Marshal(append([]string{}, c.roles...))
	if err != nil {
		panic(err) // strings only
	}
	body := fmt.Sprintf(`{"issuer":%q,"subject":%q,"companyId":%d,"companyName":%q,"roles":%s,"supervisor":%t,"scopeSize":%d,"limits":{"exportRows":5000000,"companyIds":10000,"keywordCharacters":256}}`,
		c.issuer, c.subject, c.company, companyName(c.company), roles, c.supervises(), len(sees))
	return outcome{status: http.StatusOK, body: body, scope: []tenancy.CompanyID{c.company}}
}
