package searchtest

import (
	"encoding/json"
	"fmt"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Corpus is a set of generated sessions with the naive scan over them. It is for
// tests that query an engine through other layers than search.Searcher, such as
// HTTP.
type Corpus struct {
	Documents []session.Document
	records   []record
}

// Question is a generated query. It holds the keyword apart from the query, as a
// user writes it.
type Question struct {
	Companies []tenancy.CompanyID // at least one
	Keyword   string              // "": none
	Query     search.Query        // without a keyword, with count and items
}

// Answer is the result of the naive scan.
type Answer struct {
	Total int64
	Items []map[string]json.RawMessage // one page: exactly the requested fields
	More  bool
}

// NewCorpus generates the given number of sessions, the same ones for the same seed.
func NewCorpus(seed, sessions int) (*Corpus, error) {
	specs := rapid.Custom(func(t *rapid.T) []spec {
		specs := make([]spec, sessions)
		for n := range specs {
			specs[n] = genSession(t, n)
		}
		return specs
	}).Example(seed)
	c := &Corpus{}
	var err error
	if c.Documents, err = build(specs); err != nil {
		return nil, err
	}
	for _, doc := range c.Documents {
		r, err := newRecord(doc.JSON())
		if err != nil {
			return nil, fmt.Errorf("session %q: %w", doc.ID(), err)
		}
		c.records = append(c.records, r)
	}
	return c, nil
}

// Companies returns the companies of the sessions.
func (c *Corpus) Companies() []tenancy.CompanyID { return genCompanies() }

// Draw draws a query with none to three conditions. Seldom nothing matches it.
func (c *Corpus) Draw(t *rapid.T) Question {
	var scopes [][]tenancy.CompanyID
	for _, companies := range genScopes() {
		if len(companies) > 0 && companies[0] != lonelyCo {
			scopes = append(scopes, companies)
		}
	}
	a := narrowed(t, everything(rapid.SampledFrom(scopes).Draw(t, "scope")...), c.records)
	a.query.Sort, a.query.Fields = genOrder(t), genFields(t)
	a.query.NewestOfClient = below(6).Draw(t, "newest of client") == 0
	a = a.page(rapid.IntRange(0, 12).Draw(t, "offset"), rapid.IntRange(1, 30).Draw(t, "limit"))
	return Question{Companies: a.companies, Keyword: a.keyword, Query: a.query}
}

// Answer runs the naive scan.
func (c *Corpus) Answer(q Question) (Answer, error) {
	var held []record
	for _, r := range c.records {
		for _, id := range q.Companies {
			if r.company == id {
				held = append(held, r)
			}
		}
	}
	found, err := scan(held, ask{companies: q.Companies, keyword: q.Keyword, query: q.Query})
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{Total: found.total, More: found.more}
	for _, r := range found.page {
		item := map[string]json.RawMessage{}
		for _, name := range q.Query.Fields.Names() {
			item[name] = json.RawMessage("null")
			if value, ok := r.raw[name]; ok {
				item[name] = value
			}
		}
		answer.Items = append(answer.Items, item)
	}
	return answer, nil
}

// String describes the query so that a reader of a failure can repeat it.
func (q Question) String() string {
	return ask{companies: q.Companies, keyword: q.Keyword, query: q.Query}.String()
}
