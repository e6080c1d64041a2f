package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestACopiedFolderAnswersAsItDidGrantsIncluded(t *testing.T) {
	dir, issuer := smallTree(t), tenancytest.NewIssuer(t)
	importLines(t, dir, fmt.Sprintf(`{"type": "grant", "doc": {"issuer": %q, "subject": "supervisor", "companyId": 9}}`, issuer.URL()))
	trusted := fmt.Sprintf(`identity.issuers=[{"issuer": %q, "jwks_url": %q, "audiences": [%q]}]`,
		issuer.URL(), issuer.Options().JWKSURL, tenancytest.Audience)
	at := emptyIndices(t)
	for range 2 { // again changes nothing
		if out := command(t, at, nil, "copy", "--from", dir); !strings.Contains(out, "records copied: 10") {
			t.Errorf("the copy says %q", out)
		}
	}
	var bodies []string
	for _, engine := range []place{folder(dir), at} {
		g := serveAt(t, engine, trusted)
		g.issuer = issuer
		token := g.supervisor(t, 1)
		for _, target := range []string{"/api/v1/sessions?showAllSupervised=true", "/api/v1/sessions?companyId=9", "/api/v1/companies", "/api/v1/sessions/c"} {
			r := g.get(t, target, token)
			if r.status != http.StatusOK {
				t.Errorf("%s: status %d", target, r.status)
			}
			bodies = append(bodies, string(r.body))
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
	if _, err := tryCommand(t, folder(t.TempDir()), "copy", "--from", missing); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("error %v, want one that names the folder", err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the folder has come to be")
	}
	empty := t.TempDir()
	if _, err := tryCommand(t, folder(t.TempDir()), "copy", "--from", empty); err == nil || !strings.Contains(err.Error(), "has no data") {
		t.Errorf("error %v, want one that says that there is no data", err)
	}
}
