package tenancy_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// wide are n companies, ten below each, with ids far apart or close together.
func wide(n int, step tenancy.CompanyID) tenancy.Records {
	var r tenancy.Records
	for i := range n {
		c := tenancy.Company{ID: 1 + tenancy.CompanyID(i)*step, Name: fmt.Sprint("company ", i*7919%n)}
		if i > 0 {
			c.ParentID = 1 + tenancy.CompanyID((i-1)/10)*step
		}
		r.Companies = append(r.Companies, c)
	}
	return r
}

// BenchmarkResolve resolves what was resolved before; BenchmarkResolveFirst what
// was not.
func BenchmarkResolve(b *testing.B) {
	const n = 100_000
	identity := tenancytest.NewIdentity(b)
	owner := identity.Principal(b, 1, "supervisor")
	all := tenancy.Selection{ShowAllSupervised: true}
	for _, ids := range []struct {
		name string
		step tenancy.CompanyID
	}{{"close", 1}, {"apart", 20_000}} {
		records := wide(n, ids.step)
		b.Run(ids.name+"/all of 100000, again", func(b *testing.B) {
			d := tenancytest.NewDirectory(b, records)
			for b.Loop() {
				resolve(b, d, owner, all, n)
			}
		})
		b.Run(ids.name+"/own company", func(b *testing.B) {
			d := tenancytest.NewDirectory(b, records)
			for b.Loop() {
				resolve(b, d, owner, tenancy.Selection{}, 1)
			}
		})
	}
}

func resolve(b *testing.B, d *tenancy.Directory, p tenancy.Principal, sel tenancy.Selection, want int) {
	b.Helper()
	scope, err := d.Resolve(p, sel)
	if err != nil || scope.Len() != want {
		b.Fatalf("got %d companies, %v", scope.Len(), err)
	}
}

func BenchmarkLoad(b *testing.B) {
	records := wide(100_000, 1)
	source := tenancytest.NewSource(records)
	d := tenancytest.DirectoryOf(b, source)
	for b.Loop() {
		source.Set(records)
		if err := d.Refresh(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	b.Run("remembered", func(b *testing.B) {
		token := w.token(b, nil, nil)
		for b.Loop() {
			if _, err := w.verifier.Verify(context.Background(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("signed by a stranger", func(b *testing.B) {
		forged := compact(b, jwt.SigningMethodEdDSA, newKeyring(b).ed, goodHeader(), goodClaims(w.issuer))
		for b.Loop() {
			if _, err := w.verifier.Verify(context.Background(), forged); err == nil {
				b.Fatal("taken")
			}
		}
	})
	for name, token := range oversized() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := w.verifier.Verify(context.Background(), token); err == nil {
					b.Fatal("taken")
				}
			}
		})
	}
	b.Run("without a known issuer", func(b *testing.B) {
		token := w.token(b, nil, map[string]any{"iss": "x"})
		for b.Loop() {
			if _, err := w.verifier.Verify(context.Background(), token); err == nil {
				b.Fatal("taken")
			}
		}
	})
}
