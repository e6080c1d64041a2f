package tenancy_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/tenancy"
)

func TestCompaniesAreReadStrictly(t *testing.T) {
	for name, c := range map[string]struct {
		raw   string
		want  tenancy.Company
		fault string // "": none
	}{
		"a root":                {raw: `{"id":7,"name":"Seven"}`, want: tenancy.Company{ID: 7, Name: "Seven"}},
		"a root told so":        {raw: `{"id":7,"name":"Seven","parentId":null}`, want: tenancy.Company{ID: 7, Name: "Seven"}},
		"below another":         {raw: ` {"parentId":3,"name":"Ёж 火","id":2147483647} `, want: tenancy.Company{ID: tenancy.MaxCompanyID, Name: "Ёж 火", ParentID: 3}},
		"the longest name":      {raw: `{"id":7,"name":"` + strings.Repeat("я", 1000) + `"}`, want: tenancy.Company{ID: 7, Name: strings.Repeat("я", 1000)}},
		"a name too long":       {raw: `{"id":7,"name":"` + strings.Repeat("я", 1001) + `"}`, fault: "name: must have"},
		"no name":               {raw: `{"id":7}`, fault: "name: missing"},
		"an empty name":         {raw: `{"id":7,"name":""}`, fault: "name: must have"},
		"a name null":           {raw: `{"id":7,"name":null}`, fault: "name: missing"},
		"a name of a number":    {raw: `{"id":7,"name":1}`, fault: "name: wrong type"},
		"no id":                 {raw: `{"name":"x"}`, fault: "id: missing"},
		"id null":               {raw: `{"id":null,"name":"x"}`, fault: "id: missing"},
		"id 0":                  {raw: `{"id":0,"name":"x"}`, fault: "id: must be 1"},
		"id negative":           {raw: `{"id":-1,"name":"x"}`, fault: "id: must be 1"},
		"id 2^31":               {raw: `{"id":2147483648,"name":"x"}`, fault: "id: must be 1"},
		"id 2^32 and 7":         {raw: `{"id":4294967303,"name":"x"}`, fault: "id: must be 1"},
		"id past 64 bits":       {raw: `{"id":18446744073709551623,"name":"x"}`, fault: "id: wrong type"},
		"id a string":           {raw: `{"id":"7","name":"x"}`, fault: "id: wrong type"},
		"id a fraction":         {raw: `{"id":7.5,"name":"x"}`, fault: "id: wrong type"},
		"parent 0":              {raw: `{"id":7,"name":"x","parentId":0}`, fault: "parentId: must be 1"},
		"parent a string":       {raw: `{"id":7,"name":"x","parentId":""}`, fault: "parentId: wrong type"},
		"all faults at once":    {raw: `{"parentId":-1}`, fault: "id: missing\nname: missing\nparentId: must be"},
		"an unknown key":        {raw: `{"id":7,"name":"x","parent":3}`, fault: `unknown key "parent"`},
		"a key in another case": {raw: `{"id":7,"name":"x","parentID":3}`, fault: `unknown key "parentID"`},
		"a key twice":           {raw: `{"id":7,"name":"x","parentId":3,"parentId":4}`, fault: "each key once"},
		"bad UTF-8":             {raw: "{\"id\":7,\"name\":\"\xff\"}", fault: "each key once"},
		"something behind":      {raw: `{"id":7,"name":"x"} {}`, fault: "each key once"},
		"a list":                {raw: `[]`, fault: "must be a JSON object"},
		"a number":              {raw: `7`, fault: "must be a JSON object"},
		"null":                  {raw: `null`, fault: "id: missing"},
		"nothing":               {raw: ``, fault: "each key once"},
		"cut":                   {raw: `{"id":7,"name":"x"`, fault: "each key once"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tenancy.DecodeCompany(json.RawMessage(c.raw))
			wantRecord(t, err, c.fault)
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestGrantsAreReadStrictly(t *testing.T) {
	good := tenancy.Grant{Account: tenancy.Account{Issuer: "i", Subject: "s"}, CompanyID: 7}
	for name, c := range map[string]struct {
		raw   string
		fault string
	}{
		"good":              {`{"issuer":"i","subject":"s","companyId":7}`, ""},
		"no issuer":         {`{"subject":"s","companyId":7}`, "issuer: must not be empty"},
		"no subject":        {`{"issuer":"i","companyId":7}`, "subject: must not be empty"},
		"no company":        {`{"issuer":"i","subject":"s"}`, "companyId: must be 1"},
		"2^32 and 7":        {`{"issuer":"i","subject":"s","companyId":4294967303}`, "companyId: must be 1"},
		"company a string":  {`{"issuer":"i","subject":"s","companyId":"7"}`, "companyId: wrong type"},
		"an unknown key":    {`{"issuer":"i","subject":"s","companyId":7,"role":"x"}`, `unknown key "role"`},
		"a key twice":       {`{"issuer":"i","subject":"s","subject":"t","companyId":7}`, "each key once"},
		"all faults":        {`{}`, "issuer: must not be empty\nsubject: must not be empty\ncompanyId"},
		"subject an object": {`{"issuer":"i","subject":{"a":1},"companyId":7}`, "subject: wrong type"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tenancy.DecodeGrant(json.RawMessage(c.raw))
			wantRecord(t, err, c.fault)
			if c.fault == "" && got != good {
				t.Errorf("got %+v, want %+v", got, good)
			}
		})
	}
}

func wantRecord(t *testing.T, err error, fault string) {
	t.Helper()
	switch {
	case fault == "" && err != nil:
		t.Errorf("got %v", err)
	case fault != "" && !errors.Is(err, tenancy.ErrInvalidRecord):
		t.Errorf("got %v, want ErrInvalidRecord", err)
	case fault != "" && !strings.Contains(err.Error(), fault):
		t.Errorf("%q is not in: %v", fault, err)
	}
}

func TestErrorsOfRecordsHoldNoValues(t *testing.T) {
	for _, raw := range []string{
		`{"id":"planted","name":"x"}`, `{"id":7,"name":["planted"]}`,
		`{"id":7,"name":"planted`, `{"id":7,"name":"planted"}planted`,
	} {
		if _, err := tenancy.DecodeCompany(json.RawMessage(raw)); err == nil || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: got %v", raw, err)
		}
	}
}

func FuzzDecodeRecords(f *testing.F) {
	f.Add([]byte(`{"id":7,"name":"x","parentId":3}`))
	f.Add([]byte(`{"id":7,"name":"x","parentId":null}`))
	f.Add([]byte(`{"issuer":"i","subject":"s","companyId":7}`))
	f.Add([]byte(`{"id":1e0,"name":"\ud800"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := tenancy.DecodeCompany(raw)
		if (err == nil) != (c.Validate() == nil) || (err != nil && !errors.Is(err, tenancy.ErrInvalidRecord)) {
			t.Errorf("company %+v: %v", c, err)
		}
		g, err := tenancy.DecodeGrant(raw)
		if (err == nil) != (g.Validate() == nil) || (err != nil && !errors.Is(err, tenancy.ErrInvalidRecord)) {
			t.Errorf("grant %+v: %v", g, err)
		}
	})
}

func TestAFaultyCompanyIsRepairedSoThatNobodySeesMore(t *testing.T) {
	for raw, want := range map[string]tenancy.Company{
		`{"id":7,"name":"Seven","parentId":3}`:        {ID: 7, Name: "Seven", ParentID: 3},
		`{"id":7,"name":"Seven","parentId":"3"}`:      {ID: 7, Name: "Seven"},
		`{"id":7,"name":"Seven","parentId":0}`:        {ID: 7, Name: "Seven"},
		`{"id":7,"name":"Seven","parentId":3.0}`:      {ID: 7, Name: "Seven"},
		`{"id":7,"name":"Seven","parentId":[3]}`:      {ID: 7, Name: "Seven"},
		`{"id":7,"name":5,"parentId":3}`:              {ID: 7, Name: "7", ParentID: 3},
		`{"id":7,"parentId":3}`:                       {ID: 7, Name: "7", ParentID: 3},
		`{"id":7,"name":"Seven","other":[{"x":"y"}]}`: {ID: 7, Name: "Seven"},
		`{"id":"7","name":"Seven"}`:                   {},
		`{"id":7,"id":8,"name":"Seven"}`:              {},
		`{"name":"Seven"}`:                            {},
		`[7]`:                                         {},
		``:                                            {},
	} {
		c, ok, fault := tenancy.RepairCompany([]byte(raw))
		if c != want || ok != (want.ID != 0) {
			t.Errorf("%s: %+v, %t, want %+v", raw, c, ok, want)
		}
		if _, err := tenancy.DecodeCompany([]byte(raw)); (fault == nil) != (err == nil) || fault != nil && !errors.Is(fault, tenancy.ErrInvalidRecord) {
			t.Errorf("%s: fault %v, want that of DecodeCompany: %v", raw, fault, err)
		}
	}
}

func FuzzRepairCompany(f *testing.F) {
	f.Add([]byte(`{"id":7,"name":"Seven","parentId":3}`))
	f.Add([]byte(`{"id":7,"name":5,"parentId":"3"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		sound, err := tenancy.DecodeCompany(raw)
		c, ok, fault := tenancy.RepairCompany(raw)
		switch {
		case err == nil && (c != sound || !ok || fault != nil):
			t.Errorf("%+v, %t, %v of a sound company %+v", c, ok, fault, sound)
		case err != nil && fault == nil:
			t.Error("a fault is not told")
		case ok && c.Validate() != nil:
			t.Errorf("%+v is no company", c)
		}
	})
}
