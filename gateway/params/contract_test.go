package params

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	contract "github.com/scopegate/scopegate/api"
)

// shape is all that the contract and the parameter table both say of a
// parameter.
type shape struct {
	Type, Format, Default string
	Enum                  []string
	Min, Max              int64
	MinLength, MaxLength  int64
	MinItems, MaxItems    int64
	Items                 *shape
}

// shapeOfParam is what the table says.
func shapeOfParam(p param) shape {
	one := shape{Enum: p.enum}
	switch p.kind {
	case kindBool:
		one.Type = "boolean"
	case kindInt, kindInts:
		one.Type, one.Min, one.Max = "integer", p.min, p.max
		one.Format = "int64"
		if p.max <= math.MaxInt32 {
			one.Format = "int32"
		}
	case kindNumber:
		one.Type, one.Format, one.Min, one.Max = "number", "double", p.min, p.max
	case kindTop:
		one.Type, one.Format, one.Min, one.Max, one.Enum = "integer|string", "int32", p.min, p.max, []string{topAll}
	case kindZone:
		one.Type, one.Format, one.Min, one.Max = "integer|string", "int32", p.min, p.max
	case kindDate:
		one.Type, one.Format = "string", "date-time"
	case kindText, kindTexts:
		one.Type = "string"
		if p.enum == nil {
			one.MinLength, one.MaxLength = p.min, p.max
		}
	}
	if p.kind == kindTexts || p.kind == kindInts {
		return shape{Type: "array", MinItems: 1, MaxItems: int64(p.maxEntries), Items: &one, Default: strings.ReplaceAll(p.fallback, ",", " ")}
	}
	one.Default = p.fallback
	return one
}

// shapeOfSchema is what the contract says.
func shapeOfSchema(s *openapi3.Schema) shape {
	of := shape{
		Type: strings.Join(s.Type.Slice(), "|"), Format: s.Format,
		MinLength: int64(s.MinLength), MinItems: int64(s.MinItems),
	}
	if len(s.AnyOf) == 2 { // a number, or a text
		number, text := shapeOfSchema(s.AnyOf[0].Value), shapeOfSchema(s.AnyOf[1].Value)
		of = number
		of.Type, of.Enum = number.Type+"|"+text.Type, text.Enum
	}
	if s.Min != nil {
		of.Min = int64(*s.Min)
	}
	if s.Max != nil {
		of.Max = int64(*s.Max)
	}
	if s.MaxLength != nil {
		of.MaxLength = int64(*s.MaxLength)
	}
	if s.MaxItems != nil {
		of.MaxItems = int64(*s.MaxItems)
	}
	for _, member := range s.Enum {
		of.Enum = append(of.Enum, fmt.Sprint(member))
	}
	if s.Items != nil {
		items := shapeOfSchema(s.Items.Value)
		of.Items = &items
	}
	switch fallback := s.Default.(type) {
	case nil:
	case []any:
		of.Default = strings.Trim(fmt.Sprint(fallback), "[]")
	default:
		of.Default = fmt.Sprint(fallback)
	}
	return of
}

func shapesOfTable(params []param) map[string]shape {
	shapes := make(map[string]shape)
	for _, p := range params {
		shapes[p.name] = shapeOfParam(p)
	}
	return shapes
}

func shapesOfQuery(op *openapi3.Operation) map[string]shape {
	shapes := make(map[string]shape)
	for _, p := range op.Parameters {
		if p.Value.In == openapi3.ParameterInQuery {
			shapes[p.Value.Name] = shapeOfSchema(p.Value.Schema.Value)
		}
	}
	return shapes
}

func loadContract(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(contract.YAML())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// sortIsByPattern takes out what the contract says of sort by a pattern, which
// TestSortPatternIsThatOfTheTable looks at.
func sortIsByPattern(shapes map[string]shape) map[string]shape {
	if s, ok := shapes["sort"]; ok {
		s.Items = &shape{Type: "string"}
		shapes["sort"] = s
	}
	return shapes
}

func TestContractHasTheParametersOfTheTable(t *testing.T) {
	doc := loadContract(t)
	for path, params := range map[string][]param{
		"/api/v1/sessions":         searchParams,
		"/api/v1/sessions/summary": summaryParams,
		"/api/v1/sessions/export":  exportParams,
		"/api/v1/sessions/{id}":    itemParams,
		"/api/v1/companies":        companiesParams,
		"/api/v1/me":               nil,
	} {
		got, want := sortIsByPattern(shapesOfQuery(doc.Paths.Value(path).Get)), sortIsByPattern(shapesOfTable(params))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("GET %s (-table +contract):\n%s", path, diff)
		}
	}
	for path, params := range map[string][]param{"/api/v1/sessions/search": linkParams, "/api/v1/sessions/summary": nil} {
		if diff := cmp.Diff(shapesOfTable(params), shapesOfQuery(doc.Paths.Value(path).Post)); diff != "" {
			t.Errorf("URL of POST %s (-table +contract):\n%s", path, diff)
		}
	}
}

func TestBodiesHaveTheParametersOfTheTable(t *testing.T) {
	schemas := loadContract(t).Components.Schemas
	for schema, params := range map[string][]param{"SearchBody": searchParams, "ExportBody": exportParams, "SummaryBody": summaryParams} {
		body := schemas[schema].Value
		got := make(map[string]shape)
		for name, property := range body.Properties {
			got[name] = shapeOfSchema(property.Value)
		}
		if diff := cmp.Diff(sortIsByPattern(shapesOfTable(params)), sortIsByPattern(got)); diff != "" {
			t.Errorf("%s (-table +contract):\n%s", schema, diff)
		}
		if extra := body.AdditionalProperties.Has; extra == nil || *extra {
			t.Errorf("%s lets unknown keys pass", schema)
		}
	}
}

func TestSortPatternIsThatOfTheTable(t *testing.T) {
	doc := loadContract(t)
	want := "^[+-]?(" + strings.Join(append(sortNames(), "startedAt"), "|") + ")$"
	for _, p := range doc.Paths.Value("/api/v1/sessions").Get.Parameters {
		if p.Value.Name == "sort" && p.Value.Schema.Value.Items.Value.Pattern != want {
			t.Errorf("GET: %s, want %s", p.Value.Schema.Value.Items.Value.Pattern, want)
		}
	}
	body := doc.Components.Schemas["SearchBody"].Value
	if got := body.Properties["sort"].Value.Items.Value.Pattern; got != want {
		t.Errorf("POST: %s, want %s", got, want)
	}
	if _, err := regexp.Compile(want); err != nil {
		t.Error(err)
	}
}

func TestListsAreCommaSeparatedInTheContract(t *testing.T) {
	paths := loadContract(t).Paths
	for _, p := range slices.Concat(paths.Value("/api/v1/sessions").Get.Parameters, paths.Value("/api/v1/sessions/summary").Get.Parameters) {
		if !p.Value.Schema.Value.Type.Is("array") {
			continue
		}
		if p.Value.Style != openapi3.SerializationForm || p.Value.Explode == nil || *p.Value.Explode {
			t.Errorf("%s: must be style form without explode", p.Value.Name)
		}
	}
}

func TestFallbacksOfTheTableAreValid(t *testing.T) {
	for _, p := range slices.Concat(searchParams, summaryParams, companiesParams) {
		if p.fallback == "" {
			continue
		}
		v, err := p.parseTexts([]string{p.fallback})
		if err == nil {
			err = p.check(v)
		}
		if err == nil {
			err = p.apply(newDecoder(nil), v)
		}
		if err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}
