package tenancy

import (
	"fmt"
	"testing"
)

// apart are n companies, ten below each, with ids that lie step apart.
func apart(n int, step CompanyID) Records {
	var r Records
	for i := range n {
		c := Company{ID: 1 + CompanyID(i)*step, Name: fmt.Sprint("company ", i*7919%n)}
		if i > 0 {
			c.ParentID = 1 + CompanyID((i-1)/10)*step
		}
		r.Companies = append(r.Companies, c)
	}
	return r
}

// BenchmarkResolveFirst resolves what no memory helps with.
func BenchmarkResolveFirst(b *testing.B) {
	const n = 100_000
	for _, ids := range []struct {
		name string
		step CompanyID
	}{{"close", 1}, {"apart", 20_000}} {
		records := apart(n, ids.step)
		singly := Account{Issuer: "i", Subject: "granted one by one"}
		for i := n / 2; i < n/2+1000; i++ {
			records.Grants = append(records.Grants, Grant{Account: singly, CompanyID: records.Companies[i].ID})
		}
		d := directoryOf(records)
		at := func(i int) CompanyID { return records.Companies[i].ID }
		branches := Selection{ShowAllSupervised: true}
		for i := 1; i <= 10; i++ {
			branches.Companies = append(branches.Companies, at(i))
		}
		owner := Principal{account: Account{"i", "s"}, company: at(0), supervisor: true}
		for _, c := range []struct {
			name   string
			caller Principal
			sel    Selection
			want   int
		}{
			{"all of 100000", owner, Selection{ShowAllSupervised: true}, n},
			{"ten branches of 99999", owner, branches, n - 1},
			{"branch of 11111", owner, Selection{Companies: branches.Companies[:1], ShowAllSupervised: true}, 11_111},
			{"branch of 1111", owner, Selection{Companies: []CompanyID{at(11)}, ShowAllSupervised: true}, 1111},
			{"1001 granted one by one", Principal{account: singly, company: at(n - 1), supervisor: true}, Selection{ShowAllSupervised: true}, 1001},
		} {
			b.Run(ids.name+"/"+c.name, func(b *testing.B) {
				s := d.current.Load().snapshot
				b.ReportAllocs()
				for b.Loop() {
					s.scopes = scopeMemo{}
					scope, err := d.Resolve(c.caller, c.sel)
					if err != nil || scope.Len() != c.want {
						b.Fatalf("got %d companies, %v", scope.Len(), err)
					}
				}
			})
		}
	}
}
