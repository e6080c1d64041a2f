package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	yamlv3 "gopkg.in/yaml.v3"

	"github.com/scopegate/scopegate/config"
)

func TestTheDocumentedSettingsAreAllSettingsWithTheirDefaults(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	block, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("there is no block of settings")
	}
	got, err := loadText(t, block)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Identity.Issuers = got.Identity.Issuers // an example in the docs: there is no default
	written, err := want.YAML()
	if err != nil {
		t.Fatal(err)
	}
	var all, documented any
	if err := yamlv3.Unmarshal(written, &all); err != nil {
		t.Fatal(err)
	}
	if err := yamlv3.Unmarshal([]byte(block), &documented); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(shapeOf(all), shapeOf(documented)); diff != "" {
		t.Error("settings and page differ:", diff)
	}
	settings, err := got.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(written), string(settings)); diff != "" {
		t.Error("defaults and page differ:", diff)
	}
}

// shapeOf returns the keys without the values, including those of a list's
// elements.
func shapeOf(node any) any {
	switch n := node.(type) {
	case map[string]any:
		for key, value := range n {
			n[key] = shapeOf(value)
		}
		return n
	case []any:
		for i := range n {
			if _, ok := n[i].(map[string]any); !ok {
				return "list"
			}
			n[i] = shapeOf(n[i])
		}
		if len(n) == 0 {
			return "list"
		}
		return n
	}
	return "value"
}

func TestEverySettingHasANameAndAVariableOfItsOwn(t *testing.T) {
	seen := map[string]string{}
	for _, key := range config.Keys() {
		name := config.EnvName(key)
		if other, ok := seen[name]; ok || key == "" || strings.HasSuffix(key, ".") || strings.Contains(key, "..") {
			t.Errorf("%q (%s) and %q", key, name, other)
		}
		seen[name] = key
	}
}
