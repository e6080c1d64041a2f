package main

import (
	"bytes"
	"os"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search/keyword"
)

func TestTheCheckedInTableIsWhatTheRulesSay(t *testing.T) {
	made, err := rules()
	if err != nil {
		t.Fatal(err)
	}
	// The rules hold for every later Unicode version too: it adds letters, and does
	// not change the properties of the old ones.
	for from, to := range keyword.FirstFolding.Rules() {
		if made[from] != to {
			t.Errorf("%+q: table says %+q, rules say %+q; run go generate ./search/keyword", from, to, made[from])
		}
	}
	file, err := os.ReadFile("../../fold_table.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(file, []byte("foldgen from Unicode "+unicode.Version+".")) {
		return // with a newer toolchain the table is older until somebody regenerates it
	}
	source, err := render(made)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(file), string(source)); diff != "" {
		t.Errorf("stale; run go generate ./search/keyword (-file +rules):\n%s", diff)
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
