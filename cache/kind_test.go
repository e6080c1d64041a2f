package cache

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// A kind that is not in the list would have no attributes in the metrics, and two
// of one letter would share keys.
func TestEveryKindIsListedOnceWithALetterAndANameOfItsOwn(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	for _, file := range files {
		if name := file.Name(); !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			if method, ok := declaration.(*ast.FuncDecl); ok && method.Recv != nil && method.Name.Name == "letter" {
				declared++
			}
		}
	}
	if len(kinds()) != declared {
		t.Errorf("%d kinds are listed, %d are declared", len(kinds()), declared)
	}
	letters, names, attributes := map[byte]bool{}, map[string]bool{}, map[attributeNames]bool{}
	for _, k := range kinds() {
		letters[k.letter()], names[k.String()], attributes[k.attributes()] = true, true, true
	}
	if len(letters) != len(kinds()) || len(names) != len(kinds()) || len(attributes) != len(kinds()) {
		t.Errorf("%d letters, %d names and %d sets of attributes of %d kinds", len(letters), len(names), len(attributes), len(kinds()))
	}
}
