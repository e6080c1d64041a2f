package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// picky is a store that refuses sessions, and deletes of sessions, by their ids.
func picky() *store {
	return &store{refuses: func(c session.Change) bool {
		id := c.SessionID
		if !c.Delete {
			id = c.Session.ID()
		}
		return strings.HasPrefix(id, "refused")
	}}
}

func TestALineThatTheStoreRefusesIsABadLineAndTheRestIsStored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		var want struct {
			stored  []string
			rejects []int64
		}
		lines := rapid.IntRange(0, 30).Draw(t, "lines")
		for n := 1; n <= lines; n++ {
			id := fmt.Sprintf("s%d", rapid.IntRange(1, 9).Draw(t, "id"))
			switch rapid.SampledFrom([]string{"stored", "stored", "deleted", "no JSON", "refused", "refused delete"}).Draw(t, "line") {
			case "stored":
				text.WriteString(upsertLine(id))
				want.stored = append(want.stored, id)
			case "deleted":
				text.WriteString(deleteLine(id))
				want.stored = append(want.stored, "-"+id)
			case "no JSON":
				text.WriteString("bad")
				want.rejects = append(want.rejects, int64(n))
			case "refused":
				text.WriteString(upsertLine("refused-" + id))
				want.rejects = append(want.rejects, int64(n))
			case "refused delete":
				text.WriteString(deleteLine("refused-" + id))
				want.rejects = append(want.rejects, int64(n))
			}
			text.WriteString("\n")
		}
		source, err := NewSource("test", strings.NewReader(text.String()))
		if err != nil {
			t.Fatal(err)
		}
		to, bad := picky(), &bytes.Buffer{}
		report, err := Run(context.Background(), to, source, Options{
			BatchLines: rapid.IntRange(1, 8).Draw(t, "batch"), Rejects: bad,
		})
		if err != nil {
			t.Fatal(err)
		}
		rejects, err := readRejects(bad)
		if err != nil {
			t.Fatal(err)
		}
		var numbers []int64
		for _, r := range rejects {
			numbers = append(numbers, r.Line)
			refused := strings.Contains(r.Text, "refused")
			if refused != (r.Reason == "the store refuses it") {
				t.Errorf("line %d, %s: %s", r.Line, r.Text, r.Reason)
			}
		}
		if diff := cmp.Diff(want.stored, to.ids()); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want.rejects, numbers); diff != "" {
			t.Errorf("rejected (-want +got):\n%s", diff)
		}
		if report.Lines != int64(lines) || report.Rejected != int64(len(want.rejects)) || report.Upserted+report.Deleted != int64(len(want.stored)) {
			t.Errorf("report %+v of %d lines", report, lines)
		}
	})
}

func TestAStrictRunStopsAtALineThatTheStoreRefuses(t *testing.T) {
	text := upsertLine("a") + "\n" + upsertLine("refused") + "\n" + upsertLine("b") + "\nbad\n" + upsertLine("c")
	to, bad := picky(), &bytes.Buffer{}
	report, err := Run(t.Context(), to, sourceOf(t, text), Options{BatchLines: 3, Strict: true, Rejects: bad})
	if !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), "line 2: the store refuses it") {
		t.Errorf("error %v, want %v of line 2", err, ErrRejected)
	}
	if diff := cmp.Diff(Report{Lines: 3, Upserted: 2, Rejected: 1}, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// unfitAmong is a snapshot with unfit sessions among the valid ones.
type unfitAmong struct {
	snapshot
	unfit []session.Unfit
}

func (s unfitAmong) Changes(ctx context.Context, most int, f func([]session.Change, []session.Unfit) error) error {
	unfit := s.unfit
	err := s.snapshot.Changes(ctx, most, func(changes []session.Change, _ []session.Unfit) error {
		some := unfit[:min(1, len(unfit))]
		unfit = unfit[len(some):]
		return f(changes, some)
	})
	if err != nil || len(unfit) == 0 {
		return err
	}
	return f(nil, unfit)
}

func TestACopyLeavesOutWhatCannotBeCopiedAndSaysWhatAndWhy(t *testing.T) {
	good, ids := sessions(t, 3)
	refused := session.Change{Kind: session.KindSession, Session: documentOf(t, "refused-session")}
	all := snapshot{
		{Kind: session.KindCompany, Company: tenancy.Company{ID: 7, Name: "N", ParentID: 3}},
		{Kind: session.KindGrant, Grant: tenancy.Grant{Account: tenancy.Account{Issuer: "https://id", Subject: "u"}, CompanyID: 7}},
		good[0], refused, good[1], good[2],
	}
	from := unfitAmong{all, []session.Unfit{
		{ID: "deep", Document: []byte(`{"id":"deep"}`), Err: fmt.Errorf("%w: metrics: too deep", session.ErrDocument)},
		{ID: "deeper", Document: []byte(`{"id":"deeper"}`), Err: session.ErrDocument},
	}}
	to := &store{}
	to.refuses = func(c session.Change) bool {
		return c.Kind != session.KindSession || c.Session.ID() == "refused-session"
	}
	var bad bytes.Buffer
	report, err := Copy(t.Context(), to, from, Options{BatchLines: 4, Rejects: &bad, Backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Report{Lines: 8, Upserted: 3, Rejected: 5}, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(ids, to.ids()); diff != "" {
		t.Errorf("copied (-want +got):\n%s", diff)
	}
	want := `{"type":"company","id":"7","reason":"the store refuses it","text":"{\"type\":\"company\",\"op\":\"upsert\",\"doc\":{\"id\":7,\"name\":\"N\",\"parentId\":3}}"}
{"type":"grant","reason":"the store refuses it","text":"{\"type\":\"grant\",\"op\":\"upsert\",\"doc\":{\"issuer\":\"https://id\",\"subject\":\"u\",\"companyId\":7}}"}
{"type":"session","id":"refused-session","reason":"the store refuses it",`
	if !strings.HasPrefix(bad.String(), want) ||
		!strings.Contains(bad.String(), `{"type":"session","id":"deep","reason":"invalid session: metrics: too deep","text":"{\"type\":\"session\",\"op\":\"upsert\",\"doc\":{\"id\":\"deep\"}}"}`) ||
		!strings.Contains(bad.String(), `{"type":"session","id":"deeper"`) {
		t.Errorf("left out: %s", bad.String())
	}
	// A line that was left out can be corrected and imported.
	lines, err := readRejects(&bad)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[:3] {
		if _, err := Decode([]byte(line.Text), ""); err != nil {
			t.Errorf("%s: %v", line.Text, err)
		}
	}
}

func documentOf(t *testing.T, id string) session.Document {
	t.Helper()
	doc, err := session.Parse([]byte(sessionDoc(id)))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
