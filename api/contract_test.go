package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/scopegate/scopegate/api"
	"github.com/scopegate/scopegate/session"
)

func load(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.YAML())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestContractIsValidOpenAPI31(t *testing.T) {
	doc := load(t)
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("openapi: %s", doc.OpenAPI)
	}
	if err := doc.Validate(t.Context(), openapi3.EnableMultiError(), openapi3.EnableExamplesValidation(),
		openapi3.EnableSchemaPatternValidation(), openapi3.EnableSchemaDefaultsValidation()); err != nil {
		t.Error(err)
	}
}

func TestJSONSaysWhatYAMLSays(t *testing.T) {
	raw, err := api.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var fromJSON, fromYAML any
	if err := json.Unmarshal(raw, &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(api.YAML(), &fromYAML); err != nil {
		t.Fatal(err)
	}
	// YAML reads numbers as other types.
	again, err := json.Marshal(fromYAML)
	if err != nil {
		t.Fatal(err)
	}
	fromYAML = nil
	if err := json.Unmarshal(again, &fromYAML); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromYAML, fromJSON); diff != "" {
		t.Error(diff)
	}
}

// fieldShape is the part of a session field that both the contract and the
// catalogue describe.
type fieldShape struct {
	Name, Type, Format, Items string
	Nullable                  bool
}

func shapeOfField(f session.Field) fieldShape {
	of := fieldShape{Name: f.Name, Nullable: f.Nullable}
	switch f.Type {
	case session.TypeString:
		of.Type = "string"
	case session.TypeInteger:
		of.Type, of.Format = "integer", "int64"
		if f.Name == "companyId" {
			of.Format = "int32" // at most 2³¹−1
		}
	case session.TypeNumber:
		of.Type, of.Format = "number", "double"
	case session.TypeBoolean:
		of.Type = "boolean"
	case session.TypeDate:
		of.Type, of.Format = "string", "date-time"
	case session.TypeStrings:
		of.Type, of.Items = "array", "string"
	case session.TypeOperators:
		of.Type, of.Items = "array", "#/components/schemas/Operator"
	case session.TypeObject:
		of.Type = "object"
	}
	return of
}

func shapeOfProperty(name string, property *openapi3.Schema) fieldShape {
	of := fieldShape{Name: name, Format: property.Format, Nullable: property.Type.IncludesNull()}
	for _, t := range property.Type.Slice() {
		if t != "null" {
			of.Type += t
		}
	}
	if items := property.Items; items != nil {
		of.Items = items.Ref
		if items.Ref == "" {
			of.Items = strings.Join(items.Value.Type.Slice(), "|")
		}
	}
	return of
}

func TestSessionSchemaIsTheCatalogue(t *testing.T) {
	schema := load(t).Components.Schemas["Session"].Value
	var got, want []fieldShape
	for _, name := range namesInOrder(t, "components", "schemas", "Session", "properties") {
		got = append(got, shapeOfProperty(name, schema.Properties[name].Value))
	}
	for _, f := range session.Fields() {
		want = append(want, shapeOfField(f))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("session fields (-catalogue +contract):\n%s", diff)
	}
}

// namesInOrder returns the keys at a place of the contract, in the order in which
// they are written. JSON() must keep that order.
func namesInOrder(t *testing.T, place ...string) []string {
	t.Helper()
	raw, err := api.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range place {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(raw, &object); err != nil {
			t.Fatal(err)
		}
		raw = object[key]
	}
	var names []string
	in := json.NewDecoder(bytes.NewReader(raw))
	if _, err := in.Token(); err != nil {
		t.Fatal(err)
	}
	for in.More() {
		name, err := in.Token()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name.(string))
		var skipped json.RawMessage
		if err := in.Decode(&skipped); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	return names
}

func TestEverySessionFieldIsDescribedWithAnExample(t *testing.T) {
	doc := load(t)
	var properties map[string]struct {
		Description string
		Examples    []any
	}
	raw, err := api.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Components struct {
			Schemas struct {
				Session struct{ Properties json.RawMessage }
			}
		}
	}
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(spec.Components.Schemas.Session.Properties, &properties); err != nil {
		t.Fatal(err)
	}
	for name, p := range properties {
		if p.Description == "" || len(p.Examples) == 0 {
			t.Errorf("%s: description %q, %d examples", name, p.Description, len(p.Examples))
		}
		schema := doc.Components.Schemas["Session"].Value.Properties[name].Value
		for _, example := range p.Examples {
			if err := schema.VisitJSON(example); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestEveryOperationListsItsErrorsAndHeaders(t *testing.T) {
	doc := load(t)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Description == "" || !strings.Contains(op.Description, "curl ") {
				t.Errorf("%s %s: no description with an example", method, path)
			}
			statuses := []string{"200", "304", "400", "401", "403", "414", "429", "431", "500", "503", "504"}
			if strings.HasSuffix(path, "/export") { // no ETag
				statuses[1] = "505"
			}
			if op.RequestBody != nil {
				statuses = append(statuses, "413", "415")
			}
			for _, status := range statuses {
				if op.Responses.Value(status) == nil {
					t.Errorf("%s %s: no %s", method, path, status)
				}
			}
			for status, response := range op.Responses.Map() {
				for _, header := range []string{"X-Request-Id", "traceresponse", "Cache-Control", "Vary"} {
					if response.Value.Headers[header] == nil {
						t.Errorf("%s %s %s: no header %s", method, path, status, header)
					}
				}
			}
		}
	}
}

func TestFilesAreListedWhereTheyAreAnswered(t *testing.T) {
	doc := load(t)
	for path, want := range map[string][]string{
		"/api/v1/sessions":         {"application/json", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/x-ndjson", "application/zip", "text/csv"},
		"/api/v1/sessions/search":  {"application/json", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/x-ndjson", "application/zip", "text/csv"},
		"/api/v1/sessions/export":  {"application/json", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/x-ndjson", "application/zip", "text/csv"},
		"/api/v1/sessions/summary": {"application/json"},
		"/api/v1/sessions/{id}":    {"application/json"},
		"/api/v1/companies":        {"application/json"},
		"/api/v1/me":               {"application/json"},
	} {
		for method, op := range doc.Paths.Value(path).Operations() {
			got := slices.Sorted(maps.Keys(op.Responses.Value("200").Value.Content))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", method, path, diff)
			}
		}
	}
}

func TestCursorsAreSaidToBeOpaque(t *testing.T) {
	doc := load(t)
	cursors := []*openapi3.SchemaRef{doc.Components.Schemas["SearchBody"].Value.Properties["cursor"]}
	for _, path := range []string{"/api/v1/sessions", "/api/v1/sessions/search"} {
		for _, op := range doc.Paths.Value(path).Operations() {
			cursors = append(cursors, op.Parameters.GetByInAndName("query", "cursor").Schema)
		}
	}
	for _, cursor := range cursors {
		if cursor.Ref != "#/components/schemas/Cursor" || !strings.Contains(cursor.Value.Description, "Opaque") {
			t.Errorf("%q: %s", cursor.Ref, cursor.Value.Description)
		}
	}
}
