package elastic

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

func TestAnImporterReportsTheCompaniesThatSessionsLeaveToo(t *testing.T) {
	t.Parallel()
	s := openWith(t, Options{Addresses: []string{address(t)}, Index: uniqueName(t)})
	if _, err := s.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	var reported []tenancy.CompanyID
	importer := s.NotifyingImporter(func(companies []tenancy.CompanyID) { reported = companies })
	for _, step := range []struct {
		name    string
		changes []session.Change
		want    []tenancy.CompanyID
	}{
		{"new sessions", upserts(newSession(t, "a", 1, nil), newSession(t, "b", 2, nil)), []tenancy.CompanyID{1, 2}},
		{"one moves, before any refresh", upserts(newSession(t, "a", 3, nil)), []tenancy.CompanyID{1, 3}},
		{"a company and a grant", []session.Change{
			{Kind: session.KindCompany, Company: tenancy.Company{ID: 5, Name: "Five"}},
			{Kind: session.KindGrant, Grant: tenancy.Grant{Account: tenancy.Account{Issuer: "https://issuer.example", Subject: "sub"}, CompanyID: 6}},
		}, []tenancy.CompanyID{5, 6}},
		{"deletes, one of what is not there", []session.Change{gone("a"), gone("b"), gone("c")}, []tenancy.CompanyID{2, 3}},
	} {
		reported = nil
		if _, err := importer.Write(t.Context(), step.changes); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, reported); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

func TestWhatCannotBePublishedIsNotWritten(t *testing.T) {
	s, f := openFake(t, always(http.StatusOK, `{"docs":[{"error":{"type":"no_shard_available_action_exception","reason":"secret"}}]}`))
	importer := s.NotifyingImporter(func([]tenancy.CompanyID) {})
	if _, err := importer.Write(t.Context(), []session.Change{gone("a")}); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("error %v, want %v", err, search.ErrUnavailable)
	}
	if n := f.asked["/_bulk"]; n != 0 {
		t.Errorf("%d bulk requests", n)
	}
}
