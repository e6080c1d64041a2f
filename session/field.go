package session

import (
	"iter"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// Type is the type of a session field's value in wire form.
type Type uint8

// The types of the catalogue.
const (
	TypeString    Type = iota + 1
	TypeInteger        // 64-bit signed
	TypeNumber         // float64
	TypeBoolean        //
	TypeDate           // RFC 3339, UTC, milliseconds: "2018-05-27T21:30:54.000Z"
	TypeStrings        // list of strings
	TypeOperators      // list of {id, name, type, assigned_at}
	TypeObject         // any JSON object
)

// Words describes the values of the type to a person.
func (t Type) Words() string {
	switch t {
	case TypeString:
		return "a string"
	case TypeInteger:
		return "an integer of 64 bits, without fraction or exponent"
	case TypeNumber:
		return "a number"
	case TypeBoolean:
		return "true or false"
	case TypeDate:
		return "a date, RFC 3339, in the years 1 to 9999"
	case TypeStrings:
		return "a list of strings"
	case TypeOperators:
		return "a list of {id, name, type, assigned_at}"
	case TypeObject:
		return "an object"
	}
	return "of a known type"
}

// Field is one field of a session.
type Field struct {
	Name        string
	SortName    string // name in sort; "" when it can't be sorted by
	Type        Type
	Nullable    bool // may be null on the wire; the key is always present
	Label       Label
	Description string // one or two sentences for readers of the API
	Example     string // JSON
}

// Label is the name of a field for people who read tables, in each Language.
type Label struct{ EN, RU string }

// In returns the label in a language.
func (l Label) In(language Language) string {
	if language == Russian {
		return l.RU
	}
	return l.EN
}

// Language is a language of labels, by its subtag (BCP 47).
type Language string

// The languages of labels.
const (
	English Language = "en"
	Russian Language = "ru"
)

// ParseLanguage reads a language tag, such as ru, RU or ru-RU. ok is false if there
// are no labels in it.
func ParseLanguage(tag string) (language Language, ok bool) {
	primary, _, _ := strings.Cut(strings.ReplaceAll(tag, "_", "-"), "-")
	language = Language(strings.ToLower(primary))
	return language, language == English || language == Russian
}

// idField is the name of the field that identifies a session.
const idField = "id"

// FieldSet is a set of catalogue fields. It is comparable. The zero set is empty.
type FieldSet [2]uint64

// FieldByName finds a field of the catalogue and its index there.
func FieldByName(name string) (index int, field Field, ok bool) {
	index, ok = fieldIndex[name]
	if !ok {
		return 0, Field{}, false
	}
	return index, catalogue[index], true
}

// FieldBySortName finds a sortable field by its name in the sort parameter;
// "startedAt" is accepted for "started_at".
func FieldBySortName(name string) (Field, bool) {
	index, ok := sortIndex[name]
	if !ok {
		return Field{}, false
	}
	return catalogue[index], true
}

// Fields yields the catalogue in its order. The fields of an item and the columns
// of a file have the same order.
func Fields() iter.Seq2[int, Field] { return slices.All(catalogue[:]) }

// FieldCount returns the number of fields in the catalogue.
func FieldCount() int { return len(catalogue) }

// allFields has the catalogue's first 64 fields in the first word and the rest in
// the second.
var allFields = FieldSet{math.MaxUint64, 1<<(len(catalogue)-64) - 1}

// AllFields returns the set of all fields.
func AllFields() FieldSet { return allFields }

// With returns the set with the catalogue's i-th field added.
func (s FieldSet) With(i int) FieldSet {
	s[i/64] |= 1 << (i % 64)
	return s
}

// Has reports whether the catalogue's i-th field is in the set.
func (s FieldSet) Has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

// IsAll reports whether every field is in the set.
func (s FieldSet) IsAll() bool { return s == allFields }

// Len returns the number of fields in the set.
func (s FieldSet) Len() int { return bits.OnesCount64(s[0]) + bits.OnesCount64(s[1]) }

// Names lists the names of the set's fields in catalogue order.
func (s FieldSet) Names() []string {
	var names []string
	for i, f := range catalogue {
		if s.Has(i) {
			names = append(names, f.Name)
		}
	}
	return names
}

// The catalogue indexed by wire name, and by every name accepted in sort.
var (
	fieldIndex = indexFields(func(f Field) []string { return []string{f.Name} })
	sortIndex  = indexFields(func(f Field) []string {
		switch f.SortName {
		case "":
			return nil
		case "started_at":
			return []string{"started_at", "startedAt"}
		}
		return []string{f.SortName}
	})
)

// fieldPrefix is the text before a field's value in wire form.
var fieldPrefix = func() (prefixes [len(catalogue)]string) {
	for i, f := range catalogue {
		prefixes[i] = `,"` + f.Name + `":`
	}
	return prefixes
}()

func indexFields(names func(Field) []string) map[string]int {
	index := make(map[string]int, len(catalogue))
	for i, f := range catalogue {
		for _, name := range names(f) {
			index[name] = i
		}
	}
	return index
}
