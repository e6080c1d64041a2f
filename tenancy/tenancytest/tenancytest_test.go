package tenancytest_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestScopeHoldsExactlyTheCompaniesAskedFor(t *testing.T) {
	identity := tenancytest.NewIdentity(t)
	for name, ids := range map[string][]tenancy.CompanyID{
		"none":           nil,
		"one":            {7},
		"unsorted":       {9, 2, 5},
		"largest id":     {1, tenancy.MaxCompanyID},
		"one told twice": {4, 4},
	} {
		t.Run(name, func(t *testing.T) {
			want := slices.Compact(slices.Sorted(slices.Values(ids)))
			got := slices.Collect(identity.Scope(t, ids...).Companies())
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("companies (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPrincipalIsWhatTheTokenSays(t *testing.T) {
	p := tenancytest.Principal(t, 7, "supervisor", "auditor")
	if p.Company() != 7 || !p.Supervisor() || p.Account().Subject != tenancytest.Subject {
		t.Errorf("got company %d, supervisor %v, subject %q", p.Company(), p.Supervisor(), p.Account().Subject)
	}
	if diff := cmp.Diff([]string{"supervisor", "auditor"}, p.Roles()); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
}

func TestSourceChangesReachTheDirectory(t *testing.T) {
	source := tenancytest.NewSource(tenancy.Records{Companies: []tenancy.Company{{ID: 1, Name: "one"}}})
	directory := tenancytest.DirectoryOf(t, source)
	p := tenancytest.Principal(t, 1)
	if _, err := directory.Supervised(p); err != nil {
		t.Fatal(err)
	}
	source.Set(tenancy.Records{})
	if err := directory.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := directory.Supervised(p); !errors.Is(err, tenancy.ErrForbidden) {
		t.Errorf("got %v, want ErrForbidden", err)
	}
	broken := errors.New("broken")
	source.Fail(broken)
	if err := directory.Refresh(context.Background()); !errors.Is(err, broken) {
		t.Errorf("got %v, want the source's error", err)
	}
}

func TestIssuerAnswersWithWhatItIsGiven(t *testing.T) {
	issuer := tenancytest.NewIssuer(t)
	issuer.Answer(http.NotFoundHandler())
	response, err := issuer.Client().Get(issuer.Options().JWKSURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusNotFound || issuer.Asked() != 1 {
		t.Errorf("got status %d after %d requests", response.StatusCode, issuer.Asked())
	}
}
