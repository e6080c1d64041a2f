package searchtest

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// StoredDocuments returns some hundreds of sessions for data that is to be stored by
// one version of the program and searched by later ones: generated ones, and those
// of the cases of scripts and of phones.
func StoredDocuments() ([]session.Document, error) {
	const seed, generated = 1, 300
	corpus, err := NewCorpus(seed, generated)
	if err != nil {
		return nil, err
	}
	named, err := build(slices.Concat(scriptFixture(), phoneFixture()))
	return append(corpus.Documents, named...), err
}

// StoredCompanies returns the companies of StoredDocuments.
func StoredCompanies() []tenancy.CompanyID {
	return append(genCompanies(), scriptCo, phoneCo)
}

// RunByFolding compares an engine with the naive scan on sessions that it holds and
// that were folded by an older version of the rules: the keywords of all cases of
// scripts and phones find what those rules say.
func RunByFolding(t *testing.T, engine Engine, docs []session.Document, by keyword.Folding) {
	t.Helper()
	e := newEnv(engine, newScopes(t))
	for _, doc := range docs {
		r, err := newRecord(doc.JSON())
		if err != nil {
			t.Fatal(err)
		}
		for field := range r.folded {
			r.folded[field] = by.Fold(r.text(field))
		}
		e.records[r.id] = r
	}
	for _, asked := range slices.Concat(scriptReads(), phoneReads()) {
		parts := readKeyword(asked.keyword)
		parts.words = strings.Fields(by.Fold(asked.keyword))
		for _, company := range []tenancy.CompanyID{scriptCo, phoneCo, genCo} {
			var want, got []string
			for _, r := range sorted(e.held([]tenancy.CompanyID{company})) {
				if r.matchesKeyword(parts) {
					want = append(want, r.id)
				}
			}
			found, err := e.search(t.Context(), everything(company).find(asked.keyword))
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range found.Page.Rows {
				r, err := newRecord(row.JSON)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, r.id)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %+q finds %q, want %q", asked.name, asked.keyword, got, want)
			}
		}
	}
}

// RunStored compares an engine with the naive scan on sessions that the engine
// holds, such as those of StoredDocuments after a migration: the keywords of all
// cases of scripts and phones, and generated queries and summaries.
func RunStored(t *testing.T, engine Engine, docs []session.Document) {
	t.Helper()
	e := newEnv(engine, newScopes(t))
	for _, doc := range docs {
		r, err := newRecord(doc.JSON())
		if err != nil {
			t.Fatal(err)
		}
		e.records[r.id] = r
	}
	if _, _, err := e.agree(t.Context(), everything(StoredCompanies()...)); err != nil {
		t.Fatal(err)
	}
	for _, r := range slices.Concat(scriptReads(), phoneReads()) {
		for _, company := range []tenancy.CompanyID{scriptCo, phoneCo, genCo} {
			if _, _, err := e.agree(t.Context(), everything(company).where(r.filter).find(r.keyword)); err != nil {
				t.Errorf("%s: %v", r.name, err)
			}
		}
	}
	t.Run("generated", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			if err := question(t.Context(), rt, e); err != nil {
				rt.Fatal(err)
			}
			if err := addUp(t.Context(), rt, e); err != nil {
				rt.Fatal(err)
			}
		})
	})
}
