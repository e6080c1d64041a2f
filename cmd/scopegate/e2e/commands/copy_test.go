package commands_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestACopiedFolderAnswersAsItDidGrantsIncluded(t *testing.T) {
	dir, issuer := harness.SmallTree(t), tenancytest.NewIssuer(t)
	harness.ImportLines(t, dir, fmt.Sprintf(`{"type": "grant", "doc": {"issuer": %q, "subject": "supervisor", "companyId": 9}}`, issuer.URL()))
	trusted := fmt.Sprintf(`identity.issuers=[{"issuer": %q, "jwks_url": %q, "audiences": [%q]}]`,
		issuer.URL(), issuer.Options().JWKSURL, tenancytest.Audience)
	at := harness.EmptyIndices(t)
	for range 2 { // again changes nothing
		if out := harness.Command(t, at, nil, "copy", "--from", dir); !strings.Contains(out, "records copied: 10") {
			t.Errorf("the copy says %q", out)
		}
	}
	var bodies []string
	for _, engine := range []harness.Place{harness.Folder(dir), at} {
		g := harness.ServeAt(t, engine, trusted)
		g.Issuer = issuer
		token := g.Supervisor(t, 1)
		for _, target := range []string{"/api/v1/sessions?showAllSupervised=true", "/api/v1/sessions?companyId=9", "/api/v1/companies", "/api/v1/sessions/c"} {
			r := g.Get(t, target, token)
			if r.Status != http.StatusOK {
				t.Errorf("%s: status %d", target, r.Status)
			}
			bodies = append(bodies, string(r.Body))
		}
	}
	if diff := cmp.Diff(bodies[:4], bodies[4:]); diff != "" {
		t.Errorf("answers of the copy (-folder +copy):\n%s", diff)
	}
	if !strings.Contains(bodies[0], `"count":5`) {
		t.Errorf("the grant counts for nothing: %s", bodies[0])
	}
}

func TestACopyOfNoFolderIsRefusedAndMakesNone(t *testing.T) {
	missing := t.TempDir() + "/missing"
	if _, err := harness.TryCommand(t, harness.Folder(t.TempDir()), "copy", "--from", missing); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("error %v, want one that names the folder", err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the folder has come to be")
	}
	empty := t.TempDir()
	if _, err := harness.TryCommand(t, harness.Folder(t.TempDir()), "copy", "--from", empty); err == nil || !strings.Contains(err.Error(), "has no data") {
		t.Errorf("error %v, want one that says that there is no data", err)
	}
}
