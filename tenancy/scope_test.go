package tenancy_test

import (
	"crypto/sha256"
	"encoding/binary"
	"go/ast"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestTheZeroScopeMatchesNothing(t *testing.T) {
	var s tenancy.Scope
	if !s.IsEmpty() || s.Len() != 0 || s.Contains(0) || s.Contains(1) || s.Fingerprint() != (tenancy.Fingerprint{}) {
		t.Errorf("the zero scope matches something: %+v", s)
	}
	for id := range s.Companies() {
		t.Errorf("the zero scope holds company %d", id)
	}
}

func TestAScopeIsItsSetOfCompanies(t *testing.T) {
	identity := tenancytest.NewIdentity(t)
	rapid.Check(t, func(rt *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.Uint32Range(1, uint32(tenancy.MaxCompanyID)), 1, 3000, rapid.ID).Draw(rt, "ids")
		var asked []tenancy.CompanyID
		for _, id := range ids {
			asked = append(asked, tenancy.CompanyID(id))
		}
		scope := identity.Scope(t, asked...)
		slices.Sort(asked)
		hash := sha256.New()
		for _, id := range asked {
			hash.Write(binary.BigEndian.AppendUint32(nil, uint32(id)))
			if !scope.Contains(id) {
				rt.Fatalf("company %d is missing", id)
			}
		}
		if scope.Len() != len(asked) || !slices.Equal(slices.Collect(scope.Companies()), asked) {
			rt.Fatalf("got %d companies, want %d", scope.Len(), len(asked))
		}
		if scope.Fingerprint() != tenancy.Fingerprint(hash.Sum(nil)) {
			rt.Fatal("the fingerprint is not the hash of the sorted ids")
		}
	})
}

func TestIterationOfAScopeCanStop(t *testing.T) {
	for id := range tenancytest.Scope(t, 3, 1, 2).Companies() {
		if id != 1 {
			t.Errorf("got company %d, want the lowest", id)
		}
		break
	}
}

func TestPrincipalAndScopeHaveNothingThatOthersCouldSet(t *testing.T) {
	for _, kind := range []reflect.Type{reflect.TypeFor[tenancy.Principal](), reflect.TypeFor[tenancy.Scope]()} {
		for i := range kind.NumField() {
			if name := kind.Field(i).Name; ast.IsExported(name) {
				t.Errorf("%s.%s is exported", kind.Name(), name)
			}
		}
		for i := range reflect.PointerTo(kind).NumMethod() {
			if _, onValue := kind.MethodByName(reflect.PointerTo(kind).Method(i).Name); !onValue {
				t.Errorf("%s.%s can change it", kind.Name(), reflect.PointerTo(kind).Method(i).Name)
			}
		}
	}
}

func TestRolesAreACopy(t *testing.T) {
	p := tenancytest.Principal(t, 1, "agent")
	p.Roles()[0] = "supervisor"
	if p.Roles()[0] != "agent" || p.Supervisor() {
		t.Error("a principal was changed from outside")
	}
}
