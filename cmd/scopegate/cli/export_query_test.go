package cli

import (
	"reflect"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	contract "github.com/scopegate/scopegate/api"
)

// TestTheFlagsOfAnExportAreTheParametersOfTheContract, by name.
func TestTheFlagsOfAnExportAreTheParametersOfTheContract(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromData(contract.YAML())
	if err != nil {
		t.Fatal(err)
	}
	// These have flags of the command's own, say nothing, or are always refused.
	got := []string{"format", "zip", "resumeAfter", "group"}
	query := reflect.TypeFor[exportQuery]()
	for i := range query.NumField() {
		got = append(got, query.Field(i).Tag.Get("name"))
	}
	var want []string
	for name := range document.Components.Schemas["ExportBody"].Value.Properties {
		want = append(want, name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("flags %v, parameters %v", got, want)
	}
}
