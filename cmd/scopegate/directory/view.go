package directory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/tenancy"
)

// Overview is the whole directory.
type Overview struct {
	Companies int               `json:"companies"`
	Roots     int               `json:"roots"`
	Grants    int               `json:"grants"`
	Problems  []string          `json:"problems"`
	Tree      []companyLineView `json:"tree"` // in pre-order
}

// companyLineView is a company in a list.
type companyLineView struct {
	ID       tenancy.CompanyID  `json:"id"`
	Name     string             `json:"name"`
	ParentID *tenancy.CompanyID `json:"parentId"`
	Depth    int                `json:"depth"`
	Below    int                `json:"below"` // companies, at any depth
	Grants   int                `json:"grants"`
}

// CompanyView is one company.
type CompanyView struct {
	companyLineView
	Path      []companyLineView `json:"path"` // from the root down, without itself
	Children  []companyLineView `json:"children"`
	GrantedTo []accountView     `json:"grantedTo"`
}

type accountView struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// OverviewOf lists all companies.
func OverviewOf(nodes []tenancy.CompanyNode, records tenancy.Records) Overview {
	v := Overview{Companies: len(nodes), Grants: len(records.Grants), Problems: tenancy.Problems(records), Tree: treeLines(nodes, records.Grants)}
	for _, node := range nodes {
		if node.Depth == 0 {
			v.Roots++
		}
	}
	if v.Problems == nil {
		v.Problems = []string{}
	}
	return v
}

func treeLines(nodes []tenancy.CompanyNode, grants []tenancy.Grant) []companyLineView {
	granted := map[tenancy.CompanyID]int{}
	for _, g := range grants {
		granted[g.CompanyID]++
	}
	lines := make([]companyLineView, len(nodes))
	for i, n := range nodes {
		lines[i] = companyLineView{ID: n.ID, Name: n.Name, Depth: n.Depth, Below: n.Below, Grants: granted[n.ID]}
		if n.ParentID != 0 {
			lines[i].ParentID = &n.ParentID
		}
	}
	return lines
}

// CompanyViewOf walks the nodes, which are in pre-order: those above a company
// come before it, those below it right behind.
func CompanyViewOf(nodes []tenancy.CompanyNode, grants []tenancy.Grant, id tenancy.CompanyID) (CompanyView, bool) {
	at := slices.IndexFunc(nodes, func(n tenancy.CompanyNode) bool { return n.ID == id })
	if at < 0 {
		return CompanyView{}, false
	}
	lines := treeLines(nodes, grants)
	v := CompanyView{companyLineView: lines[at], Path: []companyLineView{}, Children: []companyLineView{}, GrantedTo: []accountView{}}
	for i, n := range nodes[:at] {
		if i+n.Below >= at {
			v.Path = append(v.Path, lines[i])
		}
	}
	for _, line := range lines[at+1 : at+1+v.Below] {
		if line.Depth == v.Depth+1 {
			v.Children = append(v.Children, line)
		}
	}
	for _, g := range grants {
		if g.CompanyID == id {
			v.GrantedTo = append(v.GrantedTo, accountView{g.Account.Issuer, g.Account.Subject})
		}
	}
	slices.SortFunc(v.GrantedTo, func(a, b accountView) int {
		return cmp.Or(cmp.Compare(a.Issuer, b.Issuer), cmp.Compare(a.Subject, b.Subject))
	})
	return v, true
}

// deepest is how far the tree is indented at most: a chain may be as deep as the
// directory is long.
const deepest = 40

// Text is for people. Names are quoted, so that they can do nothing to a terminal.
func (v Overview) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "companies: %d, roots: %d, grants: %d, problems: %d\n", v.Companies, v.Roots, v.Grants, len(v.Problems))
	for _, p := range v.Problems {
		b.WriteString("problem: " + p + "\n")
	}
	for _, line := range v.Tree {
		b.WriteString(strings.Repeat("  ", min(line.Depth, deepest)) + line.String() + "\n")
	}
	return b.String()
}

// String leaves out what there is none of.
func (l companyLineView) String() string {
	text := fmt.Sprintf("%d %q", l.ID, l.Name)
	if l.Below > 0 {
		text += fmt.Sprintf(", below it: %d", l.Below)
	}
	if l.Grants > 0 {
		text += fmt.Sprintf(", grants: %d", l.Grants)
	}
	return text
}

// Text is for people.
func (v CompanyView) Text() string {
	var b strings.Builder
	for _, up := range v.Path {
		b.WriteString("in: " + up.String() + "\n")
	}
	b.WriteString("company: " + v.String() + "\n")
	for _, child := range v.Children {
		b.WriteString("child: " + child.String() + "\n")
	}
	for _, account := range v.GrantedTo {
		fmt.Fprintf(&b, "granted to: issuer %q, subject %q\n", account.Issuer, account.Subject)
	}
	return b.String()
}
