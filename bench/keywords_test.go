package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestKeywordsAreOfTheAskedLengthAndAllDifferent(t *testing.T) {
	names := []string{"Annamaria Häberle", "Вероника Ковалёва", "Bo Li", "Σωκράτης Παπαδόπουλος", "María del Carmen Ibáñez"}
	for _, length := range []int{1, 2, 3, 12} {
		n := 3
		drawn, err := newDice().keywords(names, n, length)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(drawn)
		if len(slices.Compact(slices.Clone(drawn))) != n {
			t.Errorf("%d characters: %q are not %d different ones", length, drawn, n)
		}
		for _, keyword := range drawn {
			if utf8.RuneCountInString(keyword) != length || strings.TrimSpace(keyword) != keyword {
				t.Errorf("%q is not of %d characters", keyword, length)
			}
			if !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, keyword) }) {
				t.Errorf("%q is in no name", keyword)
			}
		}
	}
}

func TestKeywordsThatNamesDoNotHaveAreAnError(t *testing.T) {
	for _, names := range [][]string{nil, {"Bo Li"}} {
		if _, err := newDice().keywords(names, 2, 12); !errors.Is(err, errFewKeywords) {
			t.Errorf("%q: error %v, want %v", names, err, errFewKeywords)
		}
	}
}

func TestAScopeOfDistrictsNamesEachOnce(t *testing.T) {
	d := newDice()
	for _, companies := range []int{1, 1000, 10_000} {
		ids, _ := d.scope(companies)["companyIds"].([]int)
		if want := max(1, companies/districtSize); len(ids) != want {
			t.Errorf("%d companies: %d ids, want %d", companies, len(ids), want)
		}
		slices.Sort(ids)
		if len(slices.Compact(slices.Clone(ids))) != len(ids) || ids[0] <= rootCompany || ids[len(ids)-1] > rootCompany+companyCount {
			t.Errorf("%d companies: bad ids %v", companies, ids)
		}
	}
}
