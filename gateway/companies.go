package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/scopegate/scopegate/gateway/params"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/tenancy"
)

// companiesBody is the answer of GET /api/v1/companies.
type companiesBody struct {
	Count int           `json:"count"`
	Items []companyItem `json:"items"`
}

// companyItem is one company of the caller's scope. Items are in pre-order: parents
// come before their children.
type companyItem struct {
	ID       tenancy.CompanyID  `json:"id"`
	Name     string             `json:"name"`
	ParentID *tenancy.CompanyID `json:"parentId"` // null at a root of the scope
	Depth    int                `json:"depth"`
	Below    int                `json:"companiesBelow"`
}

// companies answers GET /api/v1/companies.
func (a *api) companies(c *gin.Context) error {
	ctx, state := c.Request.Context(), stateFrom(c)
	query, err := params.Companies(c.Request.URL.RawQuery)
	if err != nil {
		return err
	}
	visible, err := a.directory.Supervised(state.principal)
	if err != nil {
		return err
	}
	// Each caller gets a list of its own, so its memory is counted as in flight
	// before the list is made.
	bytes, err := a.hold(c, int64(visible.Len())*companyBytes)
	if err != nil {
		return err
	}
	defer bytes.Release()
	var nodes []tenancy.CompanyNode
	err = a.step(ctx, "scope", &state.timings.scope, func(context.Context) (err error) {
		nodes, err = a.directory.Companies(state.principal)
		return err
	})
	if err != nil {
		return err
	}
	body, err := json.Marshal(listCompanies(nodes, keyword.Fold(query)))
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	bytes.Release() // the answer is counted by its own size
	return a.reply(c, answer{body: newContent(body)})
}

// companyBytes is about the memory that a company takes while the list is made.
const companyBytes = 256

// listCompanies lists the companies whose folded name contains the folded text. Depth
// and parent are those in the whole tree, whether or not the parent is listed.
func listCompanies(nodes []tenancy.CompanyNode, folded string) companiesBody {
	items := make([]companyItem, 0, len(nodes))
	for _, n := range nodes {
		if folded != "" && !strings.Contains(keyword.Fold(n.Name), folded) {
			continue
		}
		item := companyItem{ID: n.ID, Name: n.Name, Depth: n.Depth, Below: n.Below}
		if n.ParentID != 0 {
			item.ParentID = &n.ParentID
		}
		items = append(items, item)
	}
	return companiesBody{Count: len(items), Items: items}
}

// meBody is the answer of GET /api/v1/me.
type meBody struct {
	Issuer      string            `json:"issuer"`
	Subject     string            `json:"subject"`
	CompanyID   tenancy.CompanyID `json:"companyId"`
	CompanyName string            `json:"companyName"`
	Roles       []string          `json:"roles"`
	Supervisor  bool              `json:"supervisor"`
	ScopeSize   int               `json:"scopeSize"`
	Name        string            `json:"name,omitempty"`
	Email       string            `json:"email,omitempty"`
	Limits      limitsBody        `json:"limits"`
}

// limitsBody has what a client must know before it asks.
type limitsBody struct {
	ExportRows        int64 `json:"exportRows"`
	CompanyIDs        int   `json:"companyIds"` // in each list of a search
	KeywordCharacters int   `json:"keywordCharacters"`
}

// me answers GET /api/v1/me.
func (a *api) me(c *gin.Context) error {
	ctx, state := c.Request.Context(), stateFrom(c)
	if err := params.None(c.Request.URL.RawQuery); err != nil {
		return err
	}
	p := state.principal
	scope, err := a.resolve(ctx, state, func() (tenancy.Scope, error) { return a.directory.Supervised(p) })
	if err != nil {
		return err
	}
	company, err := a.directory.Company(p)
	if err != nil {
		return err
	}
	return a.replyJSON(c, meBody{
		Issuer: p.Account().Issuer, Subject: p.Account().Subject,
		CompanyID: company.ID, CompanyName: company.Name,
		Roles: append([]string{}, p.Roles()...), Supervisor: p.Supervisor(), ScopeSize: scope.Len(),
		Name: p.Name(), Email: p.Email(),
		Limits: limitsBody{ExportRows: a.exports.MaxRows, CompanyIDs: params.MaxCompanies, KeywordCharacters: keyword.MaxLen},
	})
}

// replyJSON encodes the value and sends it.
func (a *api) replyJSON(c *gin.Context, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return a.reply(c, answer{body: newContent(body)})
}
