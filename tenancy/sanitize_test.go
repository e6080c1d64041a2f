package tenancy

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// anyForest is sound: each parent comes before those below it.
func anyForest(t *rapid.T) []Company {
	var forest []Company
	for id := CompanyID(1); id <= 24; id++ {
		forest = append(forest, Company{ID: id, Name: "c", ParentID: CompanyID(rapid.Uint32Range(0, uint32(id-1)).Draw(t, "parent"))})
	}
	return forest
}

// spoil gives a company a parent below it, or some companies one that cannot be:
// themselves, or one that is not there; or tells them twice. Not both: a branch
// that was cut off may well go below what it once was above.
func spoil(t *rapid.T, forest []Company) []Company {
	spoilt := slices.Clone(forest)
	some := func() int { return rapid.IntRange(0, len(forest)-1).Draw(t, "company") }
	if rapid.Bool().Draw(t, "cycle") {
		sound, i := newModel(Records{Companies: forest}), some()
		below := sound.every(func(other CompanyID) bool { return sound.below(other, forest[i].ID) })
		spoilt[i].ParentID = rapid.SampledFrom(below).Draw(t, "below")
		return spoilt
	}
	for range rapid.IntRange(1, 5).Draw(t, "faults") {
		i := some()
		switch rapid.SampledFrom([]string{"self", "missing", "twice"}).Draw(t, "fault") {
		case "self":
			spoilt[i].ParentID = forest[i].ID
		case "missing":
			spoilt[i].ParentID = 1000
		case "twice":
			spoilt = append(spoilt, Company{ID: forest[i].ID, Name: "c", ParentID: 1000})
		}
	}
	return spoilt
}

func TestASpoiltDirectoryShowsNobodyMoreThanTheSoundOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		forest := anyForest(t)
		sound := directoryOf(Records{Companies: forest})
		spoilt := directoryOf(Records{Companies: spoil(t, forest)})
		for _, c := range forest {
			p := Principal{account: Account{"i", "s"}, company: c.ID, supervisor: true}
			before, err := sound.Supervised(p)
			if err != nil {
				t.Fatal(err)
			}
			after, err := spoilt.Supervised(p)
			if err != nil {
				t.Fatal(err)
			}
			for id := range after.Companies() {
				if !before.Contains(id) {
					t.Fatalf("company %d sees %d, which it does not in the sound directory", c.ID, id)
				}
			}
		}
	})
}

// deep are 2,000 chains of 50 companies below one: 100,001 in 51 levels. Chain
// n starts with company 2+50n.
func deep() []Company {
	companies := []Company{{ID: 1, Name: "top"}}
	for id := CompanyID(2); id <= 100_001; id++ {
		parent := id - 1
		if (id-2)%50 == 0 {
			parent = 1
		}
		companies = append(companies, Company{ID: id, Name: "c", ParentID: parent})
	}
	return companies
}

func TestFaultsInALargeDirectoryStayWhereTheyAre(t *testing.T) {
	companies := deep()
	chain := func(n int) []Company { return companies[1+50*n : 1+50*(n+1)] }
	chain(0)[10].ParentID = chain(0)[10].ID // its own parent, halfway down
	chain(1)[0].ParentID = chain(1)[49].ID  // all fifty on one cycle
	chain(2)[20].ParentID = 2_000_000_000   // an orphan
	chain(3)[30].ParentID = chain(3)[40].ID // a cycle of eleven, with nine below
	s := newSnapshot("", Records{Companies: companies}, nil)
	d := directoryOf(Records{Companies: companies})
	for name, c := range map[string]struct {
		own  CompanyID
		want int
	}{
		"the top":                        {1, 100_001 - 40 - 50 - 30 - 20},
		"above a company that is itself": {chain(0)[0].ID, 10},
		"its own parent":                 {chain(0)[10].ID, 1},
		"below its own parent":           {chain(0)[11].ID, 39},
		"first on the long cycle":        {chain(1)[0].ID, 1},
		"last on the long cycle":         {chain(1)[49].ID, 1},
		"above the orphan":               {chain(2)[0].ID, 20},
		"the orphan":                     {chain(2)[20].ID, 30},
		"on the short cycle":             {chain(3)[35].ID, 1},
		"below the short cycle":          {chain(3)[41].ID, 9},
		"a sound chain":                  {chain(4)[0].ID, 50},
		"the last of a sound chain":      {chain(4)[49].ID, 1},
	} {
		t.Run(name, func(t *testing.T) {
			scope, err := d.Supervised(Principal{account: Account{"i", "s"}, company: c.own, supervisor: true})
			if err != nil || scope.Len() != c.want {
				t.Errorf("sees %d companies, %v, want %d", scope.Len(), err, c.want)
			}
		})
	}
	report := strings.Join(s.problems, "\n")
	for _, want := range []string{"company 12 is below itself", "company 52 is below itself", "parent 2000000000", "company 182 is below itself"} {
		if !strings.Contains(report, want) {
			t.Errorf("%q is not in the report:\n%s", want, report)
		}
	}
}

func TestAnAccountOfManyGrantsSeesEachCompanyOnce(t *testing.T) {
	records := Records{Companies: deep()}
	account := Account{"i", "s"}
	for id := CompanyID(100_001); id > 7; id -= 7 { // last first, many within others
		records.Grants = append(records.Grants, Grant{account, id}, Grant{account, id})
	}
	p := Principal{account: account, company: 1, supervisor: false}
	if scope, err := directoryOf(records).Supervised(p); err != nil || scope.Len() != 1 {
		t.Errorf("an agent sees %d companies, %v", scope.Len(), err)
	}
	p.supervisor, p.company = true, 2
	scope, err := directoryOf(records).Supervised(p)
	if err != nil {
		t.Fatal(err)
	}
	granted := map[CompanyID]bool{2: true}
	for _, g := range records.Grants {
		granted[g.CompanyID] = true
	}
	want := 0
	for i, chain := 1, false; i < len(records.Companies); i++ {
		c := records.Companies[i]
		chain = granted[c.ID] || chain && c.ParentID != 1 // or below one that is
		if chain {
			want++
		}
	}
	if scope.Len() != want {
		t.Errorf("a supervisor sees %d companies, want %d", scope.Len(), want)
	}
}
