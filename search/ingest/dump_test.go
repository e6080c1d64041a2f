package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// held is a snapshot of these records, passed on one at a time.
type held struct {
	changes []session.Change
	unfit   []session.Unfit
}

func (h held) Changes(_ context.Context, _ int, f func([]session.Change, []session.Unfit) error) error {
	for i := range h.changes {
		if err := f(h.changes[i:i+1], nil); err != nil {
			return err
		}
	}
	return f(nil, h.unfit)
}

func TestADumpIsReadBackAsItWas(t *testing.T) {
	doc, err := session.Parse([]byte(`{"id":"s","companyId":2,"name":"Ann \"<&>\u2028"}`))
	if err != nil {
		t.Fatal(err)
	}
	from := held{
		changes: []session.Change{
			{Kind: session.KindCompany, Company: tenancy.Company{ID: 1, Name: "Root <&>"}},
			{Kind: session.KindCompany, Company: tenancy.Company{ID: 2, Name: "Branch", ParentID: 1}},
			{Kind: session.KindGrant, Grant: tenancy.Grant{Account: tenancy.Account{Issuer: "https://id", Subject: "a\"b"}, CompanyID: 2}},
			{Kind: session.KindSession, Session: doc},
		},
		unfit: []session.Unfit{
			{Kind: session.KindSession, ID: "x", Document: []byte(`{"id":"s","companyId":3}`), Err: session.ErrDocument},
			{Kind: session.KindCompany, ID: "y", Document: nil, Err: tenancy.ErrInvalidRecord},
		},
	}
	var out bytes.Buffer
	var last DumpReport
	report, err := Dump(t.Context(), from, &out, func(r DumpReport) { last = r })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(DumpReport{Companies: 2, Grants: 1, Sessions: 2, Unfit: 1, Unread: 1}, report); diff != "" || last != report {
		t.Errorf("progress %v (-want +got):\n%s", last, diff)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	var got []session.Change
	for _, line := range lines[:len(lines)-1] {
		change, err := Decode([]byte(line), "")
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got = append(got, change)
	}
	if diff := cmp.Diff(from.changes, got, cmp.Transformer("text", func(d session.Document) string { return string(d.JSON()) })); diff != "" {
		t.Errorf("(-dumped +read):\n%s", diff)
	}
	// It has the same id as the valid session.
	if _, err := Decode([]byte(lines[len(lines)-1]), ""); !errors.Is(err, ErrLine) {
		t.Errorf("%s is taken: error %v", lines[len(lines)-1], err)
	}
}

// fullAfter accepts a number of writes, then fails.
type fullAfter int

var errFull = errors.New("full")

func (f *fullAfter) Write(p []byte) (int, error) {
	if *f--; *f < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestADumpCountsWhatWasHandedToItsOutput(t *testing.T) {
	var from held
	for id := range tenancy.CompanyID(5) {
		from.changes = append(from.changes, session.Change{Kind: session.KindCompany, Company: tenancy.Company{ID: id + 1, Name: fmt.Sprint(id)}})
	}
	out := fullAfter(3)
	if report, err := Dump(t.Context(), from, &out, nil); !errors.Is(err, errFull) || report.Lines() != 3 {
		t.Errorf("%d lines, error %v", report.Lines(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dump(ctx, from, &bytes.Buffer{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}
