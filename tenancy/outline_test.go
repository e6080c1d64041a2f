package tenancy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestAnOutlineIsTheTreeWithItsFaultsContained(t *testing.T) {
	records := Records{Companies: []Company{
		{ID: 4, Name: "d", ParentID: 2}, {ID: 2, Name: "b", ParentID: 1}, {ID: 1, Name: "z"}, {ID: 3, Name: "a", ParentID: 1},
		{ID: 5, Name: "e", ParentID: 77}, {ID: 6, Name: "f", ParentID: 6},
	}}
	want := []CompanyNode{
		{ID: 5, Name: "e"}, {ID: 6, Name: "f"}, {ID: 1, Name: "z", Below: 3},
		{ID: 3, Name: "a", ParentID: 1, Depth: 1}, {ID: 2, Name: "b", ParentID: 1, Depth: 1, Below: 1}, {ID: 4, Name: "d", ParentID: 2, Depth: 2},
	}
	if diff := cmp.Diff(want, Outline(records)); diff != "" {
		t.Errorf("outline (-want +got):\n%s", diff)
	}
}

func TestASupervisorOfAllSeesTheOutline(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := Records{Companies: anyForest(t)}
		p := Principal{account: Account{"i", "s"}, company: 1, supervisor: true}
		for _, c := range records.Companies {
			records.Grants = append(records.Grants, Grant{p.account, c.ID})
		}
		want, err := directoryOf(records).Companies(p)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, Outline(records)); diff != "" {
			t.Fatalf("outline (-seen +got):\n%s", diff)
		}
	})
}

func TestProblemsAreThoseOfTheDirectoryButAllOfThem(t *testing.T) {
	var records Records
	for id := CompanyID(1); id <= 2*maxProblems; id++ {
		records.Companies = append(records.Companies, Company{ID: id, Name: "c", ParentID: id})
	}
	records.Grants = []Grant{{Account{"i", "s"}, 1000}}
	all, some := Problems(records), directoryOf(records).Problems()
	if len(all) != 2*maxProblems+1 || !strings.Contains(all[2*maxProblems], "grant names company 1000") {
		t.Errorf("%d problems, the last %q", len(all), all[len(all)-1])
	}
	if diff := cmp.Diff(some[:maxProblems], all[:maxProblems]); diff != "" {
		t.Errorf("problems (-directory +all):\n%s", diff)
	}
	if found := Problems(Records{Companies: []Company{{ID: 1, Name: "c"}}}); len(found) != 0 {
		t.Errorf("a sound directory has %q", found)
	}
}
