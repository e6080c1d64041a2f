package journeys_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/demo"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/search/sqlite"
	"github.com/scopegate/scopegate/tenancy"
)

func TestARevokedGrantIsInvisibleWithinItsBound(t *testing.T) {
	d := startDemo(t, t.TempDir())
	token := d.login(t, account(t, "granted"))
	g := &harness.Gateway{URL: d.url, Client: http.DefaultClient}
	all := "/api/v1/sessions?showAllSupervised=true&limit=100&fields=companyId"

	before := g.Get(t, all, token)
	if roots := rootsOf(t, d, token); roots != 2 {
		t.Fatalf("sees %d branches, want 2", roots)
	}
	granted := onlyGrant(t, d.dir)
	harness.ImportLines(t, d.dir, fmt.Sprintf(`{"type": "grant", "op": "delete", "doc": {"issuer": %q, "subject": %q, "companyId": %d}}`,
		granted.Account.Issuer, granted.Account.Subject, granted.CompanyID))

	for deadline := time.Now().Add(harness.RevocationBound); rootsOf(t, d, token) != 1; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the grant is visible %s after it was revoked", harness.RevocationBound)
		}
	}
	after := g.Get(t, all, token, "If-None-Match", before.Header.Get("ETag"))
	if after.Status != http.StatusOK || after.Page(t).Count >= before.Page(t).Count {
		t.Errorf("after the revocation: %d, count %d, was %d", after.Status, after.Page(t).Count, before.Page(t).Count)
	}
	if next := g.Get(t, before.Next(), token); next.Page(t).Count != after.Page(t).Count {
		t.Errorf("the cursor from before counts %d, want %d", next.Page(t).Count, after.Page(t).Count)
	}
	if r := g.Get(t, fmt.Sprintf("/api/v1/sessions?companyId=%d", granted.CompanyID), token); r.Status != http.StatusForbidden {
		t.Errorf("the company that was granted answers %d", r.Status)
	}
}

func rootsOf(t *testing.T, d runningDemo, token string) int {
	t.Helper()
	var tree struct{ Items []struct{ Depth int } }
	d.get(t, "/api/v1/companies", token, &tree)
	roots := 0
	for _, company := range tree.Items {
		if company.Depth == 0 {
			roots++
		}
	}
	return roots
}

func onlyGrant(t *testing.T, dir string) tenancy.Grant {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	records, err := store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(records.Grants) != 1 || records.Grants[0].Account.Issuer != demo.Issuer {
		t.Fatalf("the demo's grants are %+v", records.Grants)
	}
	return records.Grants[0]
}
