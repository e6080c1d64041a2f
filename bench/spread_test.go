package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

const seededLine = `{"type":"session","op":"upsert","doc":{"id":"cec79d969e50100d","companyId":1012,"companyName":"Seeded · 12","name":"A \"B\"","tags":"companyId"}}`

func TestASessionMovesToACompanyOfTheSameDistrict(t *testing.T) {
	var out bytes.Buffer
	in := `{"type":"company","op":"upsert","doc":{"id":1000}}` + "\n" + seededLine + "\n" + seededLine + "\n"
	if err := spread(bufio.NewWriter(&out), strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || lines[0] != lines[1] {
		t.Fatalf("want the session twice, alike, got\n%s", out.String())
	}
	var session struct {
		Doc struct {
			ID, CompanyName, Name, Tags string
			CompanyID                   int
		}
	}
	if err := json.Unmarshal([]byte(lines[0]), &session); err != nil {
		t.Fatal(err)
	}
	doc := session.Doc
	if first := companyID(12, 0); doc.CompanyID < first || doc.CompanyID >= first+districtSize || doc.CompanyName != companyName(doc.CompanyID) {
		t.Errorf("company %d %q is none of district 12", doc.CompanyID, doc.CompanyName)
	}
	if doc.ID != "cec79d969e50100d" || doc.Name != `A "B"` || doc.Tags != "companyId" {
		t.Errorf("the rest changed: %+v", doc)
	}
}

func TestALineOfAnotherShapeIsRefused(t *testing.T) {
	for name, line := range map[string]string{
		"another company":   strings.Replace(seededLine, "1012", "1200", 1),
		"no company":        `{"type":"session","op":"upsert","doc":{"id":"x"}}`,
		"company no number": strings.Replace(seededLine, "1012", `"1012"`, 1),
	} {
		if _, err := move(nil, []byte(line)); !errors.Is(err, errSeedLine) {
			t.Errorf("%s: error %v, want %v", name, err, errSeedLine)
		}
	}
}

func TestTheTreeHasEveryCompanyOnceAndParentsFirst(t *testing.T) {
	var out bytes.Buffer
	if err := writeCompanies(bufio.NewWriter(&out)); err != nil {
		t.Fatal(err)
	}
	known := map[int]bool{}
	for line := range strings.Lines(out.String()) {
		var company struct {
			Doc struct {
				ID       int
				ParentID int
			}
		}
		if err := json.Unmarshal([]byte(line), &company); err != nil {
			t.Fatal(err)
		}
		doc := company.Doc
		if known[doc.ID] || doc.ParentID != 0 && !known[doc.ParentID] {
			t.Fatalf("company %d of parent %d is out of order", doc.ID, doc.ParentID)
		}
		known[doc.ID] = true
	}
	if len(known) != companyCount+1 {
		t.Errorf("%d companies, want %d", len(known), companyCount+1)
	}
}
