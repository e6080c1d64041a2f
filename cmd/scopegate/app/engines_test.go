package app

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/config"
)

func TestEveryEngineOfTheSettingsHasItsRow(t *testing.T) {
	want := slices.Sorted(slices.Values(config.Engines()))
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(engineTypes()))); diff != "" {
		t.Errorf("engines (-settings +table):\n%s", diff)
	}
}
