package main

import (
	"bytes"
	"os"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search/keyword"
)

func TestTheCheckedInTablesAreWhatTheRulesSay(t *testing.T) {
	for version, folding := range map[string]keyword.Folding{"first": keyword.FirstFolding, "second": keyword.SecondFolding} {
		made, err := folders[version].rules()
		if err != nil {
			t.Fatal(err)
		}
		// The rules hold for every later Unicode version too: it adds letters, and
		// does not change the properties of the old ones.
		for from, to := range folding.Passes()[0] {
			if made[from] != to {
				t.Errorf("%s: %+q: table says %+q, rules say %+q; run go generate ./search/keyword", version, from, to, made[from])
			}
		}
		file, err := os.ReadFile("../../fold_table_" + version + ".go")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(file, []byte("foldgen from Unicode "+unicode.Version+".")) {
			continue // with a newer toolchain the table stays as it is
		}
		source, err := render(version, made)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(file), string(source)); diff != "" {
			t.Errorf("%s: stale; run go generate ./search/keyword (-file +rules):\n%s", version, diff)
		}
	}
}

// A searched field has at most 1,000 characters, a term of Elasticsearch 32,766 bytes.
func TestNoCharacterFoldsToMoreThanATermHasRoomFor(t *testing.T) {
	for version, f := range folders {
		made, err := f.rules()
		if err != nil {
			t.Fatal(err)
		}
		for from, to := range made {
			if characters := utf8.RuneCountInString(from); len(to) > characters*32 {
				t.Errorf("%s: %+q folds to %d bytes", version, from, len(to))
			}
		}
	}
}

func TestCheckRefusesATableThatIsNoFixedPoint(t *testing.T) {
	if err := (table{"a": "b", "b": "c"}).check(); err == nil {
		t.Error("a rule whose outcome folds further passed")
	}
}

func TestAddRefusesTwoOutcomesForOneKey(t *testing.T) {
	if err := (table{"a": "b"}).add("a", "c"); err == nil {
		t.Error("two outcomes for one key passed")
	}
}
