package schema

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheListIsWellFormed(t *testing.T) {
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := Steps()
	for i, s := range steps {
		if s.Schema != i+1 {
			t.Errorf("step %d leads to schema %d", i+1, s.Schema)
		}
		if !strings.Contains(string(text), "\n## "+s.Release+"\n") {
			t.Errorf("schema %d: CHANGELOG.md has no heading %q", s.Schema, s.Release)
		}
		if (s.SQL != "") != (s.SQLite == Added) {
			t.Errorf("schema %d: statements belong to an Added step on SQLite, and it needs some", s.Schema)
		}
		if i > 0 && s.Folding != steps[i-1].Folding && (s.Elasticsearch != Rewritten || s.SQLite != Rewritten) {
			t.Errorf("schema %d folds otherwise than the schema before, so all records must be rewritten", s.Schema)
		}
		if s.Fixture != "" {
			if _, err := os.Stat("testdata/" + s.Fixture); err != nil {
				t.Errorf("schema %d: %v", s.Schema, err)
			}
		}
	}
	if !steps.Newest().Searched {
		t.Error("the newest schema must be searched")
	}
}

func TestWhatStepsDoAllInAll(t *testing.T) {
	list := List{
		{Schema: 1, Elasticsearch: Rewritten, SQLite: Rewritten},
		{Schema: 2, Elasticsearch: Added},
		{Schema: 3, Elasticsearch: Rewritten, SQLite: Added},
		{Schema: 4, SQLite: Added},
		{Schema: 5, Elasticsearch: Added},
	}
	type outcome struct{ Elasticsearch, SQLite Change }
	want := []outcome{
		0: {Rewritten, Rewritten}, 1: {Rewritten, Added}, 2: {Rewritten, Added}, 3: {Added, Added}, 4: {Added, Unchanged},
		5: {}, 6: {},
	}
	for from, w := range want {
		after := list.After(from)
		if diff := cmp.Diff(w, outcome{after.Elasticsearch(), after.SQLite()}); diff != "" {
			t.Errorf("from schema %d (-want +got):\n%s", from, diff)
		}
	}
	if got := list.SearchedSince(); got != 3 {
		t.Errorf("programs that know schema %d can search the newest, want 3", got)
	}
	if _, found := list.Find(6); found || list.Newest().Schema != 5 {
		t.Errorf("newest is %d, and 6 is found: %t", list.Newest().Schema, found)
	}
}

func TestANewerSchemaIsRefusedWithTheVersionThatMadeIt(t *testing.T) {
	list := List{{Schema: 1}}
	for program, want := range map[string]string{
		"v1.2.3": "the file has schema 7, made by scopegate v1.2.3; this program knows schemas up to 1: use that version or a newer one",
		"":       "the file has schema 7; this program knows schemas up to 1: use that version or a newer one",
	} {
		if got := list.Newer("the file", 7, program); got != want {
			t.Errorf("%q", got)
		}
	}
}
