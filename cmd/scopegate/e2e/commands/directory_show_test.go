package commands_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/directory"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

func TestACompanyIsShownWithItsPlaceAndItsGrants(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			harness.ImportLinesInto(t, at, harness.CompanyLine(1, 0), harness.CompanyLine(2, 1), harness.CompanyLine(3, 2), harness.CompanyLine(4, 3), harness.CompanyLine(5, 2), harness.CompanyLine(6, 1),
				grantOf("https://id.example", "u2", 2), grantOf("https://id.example", "u1", 2), grantOf("https://id.example", "u1", 3))
			ops := newOperator(t, at)
			want := strings.Join([]string{
				`in: 1 "Company 1", below it: 5`,
				`company: 2 "Company 2", below it: 3, grants: 2`,
				`child: 3 "Company 3", below it: 1, grants: 1`,
				`child: 5 "Company 5"`,
				`granted to: issuer "https://id.example", subject "u1"`,
				`granted to: issuer "https://id.example", subject "u2"`,
			}, "\n") + "\n"
			if diff := cmp.Diff(want, ops.do(t, "", "show", "--company", "2")); diff != "" {
				t.Errorf("company (-want +got):\n%s", diff)
			}
			if _, err := ops.try(t, "", "show", "--company", "77"); err == nil || cli.ExitCode(err, &strings.Builder{}) != cli.ExitRefused {
				t.Errorf("an unknown company: %v", err)
			}
		})
	}
}

func TestTheDirectoryIsShownAsJSON(t *testing.T) {
	ops := newOperator(t, harness.Folder(harness.SmallTree(t)))
	var all directory.Overview
	if err := json.Unmarshal([]byte(ops.do(t, "", "show", "--json")), &all); err != nil {
		t.Fatal(err)
	}
	if all.Companies != 4 || all.Roots != 2 || all.Problems == nil || len(all.Tree) != 4 || all.Tree[1].Depth != 1 || *all.Tree[1].ParentID != 1 {
		t.Errorf("directory %+v", all)
	}
	var one directory.CompanyView
	if err := json.Unmarshal([]byte(ops.do(t, "", "show", "--json", "--company", "2")), &one); err != nil {
		t.Fatal(err)
	}
	if one.ID != 2 || len(one.Path) != 1 || one.Path[0].ID != 1 || one.Children == nil || one.GrantedTo == nil {
		t.Errorf("company %+v", one)
	}
}
