package ingest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

func TestALineIsOneChange(t *testing.T) {
	grant := tenancy.Grant{Account: tenancy.Account{Issuer: "https://id", Subject: "u1"}, CompanyID: 7}
	for name, tt := range map[string]struct {
		line string
		bare Type
		want session.Change
	}{
		"company":            {`{"type":"company","doc":{"id":7,"name":"N","parentId":3}}`, "", session.Change{Kind: session.KindCompany, Company: tenancy.Company{ID: 7, Name: "N", ParentID: 3}}},
		"company, op given":  {`{"op":"upsert","doc":{"id":7,"name":"N"},"type":"company"}`, "", session.Change{Kind: session.KindCompany, Company: tenancy.Company{ID: 7, Name: "N"}}},
		"bare company":       {`{"id":7,"name":"N","parentId":null}`, TypeCompany, session.Change{Kind: session.KindCompany, Company: tenancy.Company{ID: 7, Name: "N"}}},
		"deleted company":    {`{"type":"company","op":"delete","doc":{"id":7}}`, "", session.Change{Kind: session.KindCompany, Delete: true, Company: tenancy.Company{ID: 7}}},
		"deleted, whole doc": {`{"type":"company","op":"delete","doc":{"id":7,"name":"N"}}`, "", session.Change{Kind: session.KindCompany, Delete: true, Company: tenancy.Company{ID: 7}}},
		"grant":              {`{"type":"grant","doc":{"issuer":"https://id","subject":"u1","companyId":7}}`, "", session.Change{Kind: session.KindGrant, Grant: grant}},
		"bare grant":         {`{"issuer":"https://id","subject":"u1","companyId":7}`, TypeGrant, session.Change{Kind: session.KindGrant, Grant: grant}},
		"deleted grant":      {`{"type":"grant","op":"delete","doc":{"issuer":"https://id","subject":"u1","companyId":7}}`, "", session.Change{Kind: session.KindGrant, Delete: true, Grant: grant}},
		"deleted session":    {deleteLine("s1"), "", session.Change{Kind: session.KindSession, Delete: true, SessionID: "s1"}},
		"white space around": {"  " + deleteLine("s1") + "\t", "", session.Change{Kind: session.KindSession, Delete: true, SessionID: "s1"}},
		"escaped id":         {`{"type":"session","op":"delete","doc":{"id":"\u0073\u0031"}}`, "", session.Change{Kind: session.KindSession, Delete: true, SessionID: "s1"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode([]byte(tt.line), tt.bare)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(session.Document{})); diff != "" {
				t.Errorf("change (-want +got):\n%s", diff)
			}
		})
	}
}

// The fast path accepts no line that the general decoder refuses.
func TestTheUsualLineIsDecodedAsAnyOtherIs(t *testing.T) {
	taken := 0
	for _, text := range []string{
		`{"type":"session","op":"upsert","doc":{"id":"a","companyId":1}}`,
		`{"type":"session","op":"upsert","doc": {"id":"a","companyId":1} }`,
		`{"type":"session","op":"upsert","doc":{"id":"a","companyId":1}`,
		`{"type":"session","op":"upsert","doc":{"id":"a","companyId":1}}}`,
		`{"type":"session","op":"upsert","doc":{"id":"a","companyId":1},"op":"delete"}`,
		`{"type":"session","op":"upsert","doc":{"id":"a","companyId":1},"doc":{"id":"b","companyId":1}}`,
		`{"type":"session","op":"upsert","doc":{"id":"a","companyId":1},"more":{}}`,
		`{"type":"session","op":"upsert","doc":{"id":"a","companyId":1}}{"id":"b","companyId":1}}`,
		`{"type":"session","op":"upsert","doc":{"id":"a","id":"b","companyId":1}}`,
		`{"type":"session","op":"upsert","doc":null}`,
		`{"type":"session","op":"upsert","doc":}`,
		`{"type":"session","op":"delete","doc":{"id":"a","companyId":1}}`,
	} {
		likeAnyOther(t, []byte(text))
		if _, ok := fastPath([]byte(text)); ok {
			taken++
		}
	}
	if taken != 2 {
		t.Errorf("%d lines were fastPath, want 2", taken)
	}
}

func likeAnyOther(t *testing.T, text []byte) {
	t.Helper()
	got, err := Decode(text, "")
	want, wanted := decode(text)
	if (err == nil) != (wanted == nil) || err != nil && err.Error() != wanted.Error() ||
		got.Kind != want.Kind || got.Delete != want.Delete || string(got.Session.JSON()) != string(want.Session.JSON()) {
		t.Errorf("%s: %v, %v, want %v, %v", text, got, err, want, wanted)
	}
}

func TestASessionIsBroughtIntoWireForm(t *testing.T) {
	for name, tt := range map[string]struct {
		line string
		bare Type
	}{
		"in an envelope": {upsertLine("s1"), ""},
		"bare":           {sessionDoc("s1"), TypeSession},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode([]byte(tt.line), tt.bare)
			if err != nil {
				t.Fatal(err)
			}
			want, err := session.Parse([]byte(sessionDoc("s1")))
			if err != nil {
				t.Fatal(err)
			}
			if got.Kind != session.KindSession || got.Delete || string(got.Session.JSON()) != string(want.JSON()) {
				t.Errorf("change %+v", got)
			}
		})
	}
}

func TestABadLineIsNamedForWhatIsWrong(t *testing.T) {
	for name, tt := range map[string]struct {
		line string
		bare Type
		is   error
		says string
	}{
		"not JSON":                {`{"type":`, "", ErrLine, "not JSON"},
		"text behind it":          {deleteLine("s1") + " x", "", ErrLine, "not JSON"},
		"two on a line":           {deleteLine("s1") + deleteLine("s2"), "", ErrLine, "not JSON"},
		"a list":                  {`[1]`, "", ErrLine, "must be a JSON object"},
		"null":                    {`null`, "", ErrLine, "must be a JSON object"},
		"a string":                {`"session"`, "", ErrLine, "must be a JSON object"},
		"invalid UTF-8":           {"{\"type\":\"session\",\"doc\":{\"id\":\"\xff\"}}", "", ErrLine, "not JSON"},
		"unknown key":             {`{"type":"session","doc":{},"extra":1}`, "", ErrLine, "unknown key"},
		"what a dump found unfit": {`{"type":"session","unfit":"why","doc":{"id":"a","companyId":1}}`, "", ErrLine, "mend doc"},
		"key of another case":     {`{"Type":"session","doc":{}}`, "", ErrLine, "unknown key"},
		"a key twice":             {`{"type":"session","type":"company","doc":{}}`, "", ErrLine, "a key comes twice"},
		"a key twice within":      {`{"type":"session","doc":{"id":"a","id":"b"}}`, "", session.ErrDocument, "id: given twice"},
		"a key twice, deep":       {`{"type":"session","doc":{"id":"a","companyId":1,"metrics":{"m":1,"m":2}}}`, "", session.ErrDocument, "metrics: must have no key twice"},
		"a company's key twice":   {`{"type":"company","doc":{"id":1,"id":2,"name":"N"}}`, "", tenancy.ErrInvalidRecord, "once"},
		"a deleted's key twice":   {`{"type":"session","op":"delete","doc":{"id":"a","id":"b"}}`, "", ErrLine, "a key comes twice"},
		"no type":                 {`{"doc":{"id":"a"}}`, "", ErrLine, "type: must be"},
		"unknown type":            {`{"type":"user","doc":{}}`, "", ErrLine, "type: must be"},
		"type of wrong kind":      {`{"type":7,"doc":{}}`, "", ErrLine, "type: wrong type"},
		"unknown op":              {`{"type":"session","op":"index","doc":{}}`, "", ErrLine, "op: must be"},
		"no doc":                  {`{"type":"session"}`, "", ErrLine, "doc: missing"},
		"doc null":                {`{"type":"session","doc":null}`, "", ErrLine, "doc: missing"},
		"envelope, bare asked":    {deleteLine("s1"), TypeSession, session.ErrDocument, ""},
		"session, bad field":      {`{"type":"session","doc":{"id":"s","companyId":1,"nope":1}}`, "", session.ErrDocument, "nope"},
		"delete without id":       {`{"type":"session","op":"delete","doc":{}}`, "", ErrLine, "id: must be"},
		"delete of a long id":     {deleteLine(strings.Repeat("x", session.MaxIDSize+1)), "", ErrLine, "id: must be a string of 1 to 512 bytes"},
		"delete of a number":      {`{"type":"session","op":"delete","doc":{"id":7}}`, "", ErrLine, "id: wrong type"},
		"delete doc no object":    {`{"type":"session","op":"delete","doc":"s1"}`, "", ErrLine, "must be a JSON object"},
		"company, bad id":         {`{"type":"company","doc":{"id":0,"name":"N"}}`, "", tenancy.ErrInvalidRecord, "id"},
		"company delete bad id":   {`{"type":"company","op":"delete","doc":{"id":2147483648}}`, "", ErrLine, "id: must be"},
		"company delete -1":       {`{"type":"company","op":"delete","doc":{"id":-1}}`, "", ErrLine, "id: must be"},
		"grant lacks a key":       {`{"type":"grant","op":"delete","doc":{"issuer":"i","subject":"s"}}`, "", tenancy.ErrInvalidRecord, "companyId"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode([]byte(tt.line), tt.bare)
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Decode: %v, want %q that says %q", err, tt.is, tt.says)
			}
		})
	}
}

func TestAReasonQuotesNothingOfTheLine(t *testing.T) {
	const planted = "79991234567"
	for _, text := range []string{
		planted + `}`,
		`{"type":"` + planted + `","doc":{}}`,
		`{"type":"session","op":"` + planted + `","doc":{}}`,
		`{"type":"session","` + planted + `":1,"doc":{}}`,
		`{"type":"session","doc":{},"` + planted + `":1,"` + planted + `":2}`,
		`{"type":"session","op":"delete","doc":{"id":{"` + planted + `":1}}}`,
		`{"type":"session","op":"delete","doc":["` + planted + `"]}`,
		`{"type":"session","doc":{"id":"s","companyId":"` + planted + `"}}`,
		`{"type":"company","doc":{"id":"` + planted + `","name":"N"}}`,
	} {
		if _, err := Decode([]byte(text), ""); err == nil || strings.Contains(err.Error(), planted) {
			t.Errorf("Decode(%s): %v", text, err)
		}
	}
}

// A decoded change can be written as a line, which decodes to the same change.
// Otherwise the error is one of three sentinels.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		upsertLine("s1"), deleteLine("s1"), sessionDoc("s1"), `{"type":"session","op":"upsert","doc":` + sessionDoc("s1") + `}`, `{"type":"company","doc":{"id":7,"name":"N","parentId":3}}`,
		`{"id":7,"name":"N"}`, `{"issuer":"i","subject":"s","companyId":1}`, `{"type":"grant","op":"delete","doc":{"issuer":"i","subject":"s","companyId":1}}`,
		`{"type":"session","doc":{"id":"s","companyId":1,"startedAt":"2018-05-27T21:30:54+03:00","operators":[]}}`, `null`, `{"type":`, "\xff",
	} {
		for bare := range byte(4) {
			f.Add([]byte(seed), bare)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, which byte) {
		likeAnyOther(t, text)
		bare := append(Types(), "")[which%4]
		change, err := Decode(text, bare)
		if err != nil {
			if !errors.Is(err, ErrLine) && !errors.Is(err, session.ErrDocument) && !errors.Is(err, tenancy.ErrInvalidRecord) {
				t.Fatalf("an error of no known kind: %v", err)
			}
			return
		}
		again, err := Decode(encode(t, change), "")
		if err != nil {
			t.Fatalf("its own line is bad: %v", err)
		}
		if string(again.Session.JSON()) != string(change.Session.JSON()) {
			t.Fatalf("session %s became %s", change.Session.JSON(), again.Session.JSON())
		}
		if diff := cmp.Diff(change, again, cmpopts.IgnoreUnexported(session.Document{})); diff != "" {
			t.Fatalf("change (-first +again):\n%s", diff)
		}
	})
}

// encode writes a change as a line.
func encode(t *testing.T, c session.Change) []byte {
	t.Helper()
	envelope := map[string]any{"op": "upsert"}
	if c.Delete {
		envelope["op"] = "delete"
	}
	switch c.Kind {
	case session.KindSession:
		envelope["type"], envelope["doc"] = TypeSession, c.Session.JSON()
		if c.Delete {
			envelope["doc"] = map[string]any{"id": c.SessionID}
		}
	case session.KindCompany:
		doc := map[string]any{"id": c.Company.ID, "name": c.Company.Name, "parentId": nil}
		if c.Company.ParentID != 0 {
			doc["parentId"] = c.Company.ParentID
		}
		envelope["type"], envelope["doc"] = TypeCompany, doc
	case session.KindGrant:
		envelope["type"] = TypeGrant
		envelope["doc"] = map[string]any{"issuer": c.Grant.Account.Issuer, "subject": c.Grant.Account.Subject, "companyId": c.Grant.CompanyID}
	}
	text, err := json.Marshal(envelope)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
