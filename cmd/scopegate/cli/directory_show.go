package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/tenancy"
)

type directoryShowCommand struct {
	directoryFlags
	Company uint32 `placeholder:"ID" help:"This company alone: the way up to it, what is below it, and its grants."`
	JSON    bool   `name:"json" help:"As JSON."`
}

// Help is shown by `scopegate directory show --help`.
func (directoryShowCommand) Help() string {
	return `Shows what the gateways of the same settings go by, also when that is a directory.file. Problems are
contained: nobody sees more for them, at most less. The tree has them contained.

Exit code 4 when the company is not in the directory.`
}

// Run shows.
func (c directoryShowCommand) Run(ctx context.Context, env Environ, std Streams) error {
	records, err := c.records(ctx, env)
	if err != nil {
		return err
	}
	nodes := tenancy.Outline(records)
	if c.Company == 0 {
		return c.print(std.Out, directoryViewOf(nodes, records))
	}
	one, there := companyViewOf(nodes, records.Grants, tenancy.CompanyID(c.Company))
	if !there {
		return refused("company %d is not in the directory", c.Company)
	}
	return c.print(std.Out, one)
}

func (c directoryShowCommand) print(to io.Writer, view interface{ text() string }) error {
	if !c.JSON {
		_, err := io.WriteString(to, view.text())
		return err
	}
	pretty := json.NewEncoder(to)
	pretty.SetIndent("", "  ")
	return pretty.Encode(view)
}

func (c directoryShowCommand) records(ctx context.Context, env Environ) (_ tenancy.Records, err error) {
	cfg, err := c.loadEngine(env, c.Data)
	if err != nil {
		return tenancy.Records{}, err
	}
	if cfg.Directory.File != "" {
		return tenancy.FileSource(cfg.Directory.File).Load(ctx)
	}
	if cfg, err = c.load(env, true); err != nil {
		return tenancy.Records{}, err
	}
	return loadRecords(ctx, cfg)
}

func loadRecords(ctx context.Context, cfg config.Config) (_ tenancy.Records, err error) {
	store, err := app.EngineOf(cfg).Open(ctx, cfg)
	if err != nil {
		return tenancy.Records{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return store.Load(ctx)
}

// DirectoryView is the whole directory.
type DirectoryView struct {
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

func directoryViewOf(nodes []tenancy.CompanyNode, records tenancy.Records) DirectoryView {
	v := DirectoryView{Companies: len(nodes), Grants: len(records.Grants), Problems: tenancy.Problems(records), Tree: treeLines(nodes, records.Grants)}
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

// companyViewOf walks the nodes, which are in pre-order: those above a company
// come before it, those below it right behind.
func companyViewOf(nodes []tenancy.CompanyNode, grants []tenancy.Grant, id tenancy.CompanyID) (CompanyView, bool) {
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

// text has names quoted, so that they can do nothing to a terminal.
func (v DirectoryView) text() string {
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

func (v CompanyView) text() string {
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
