package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	yamlv3 "gopkg.in/yaml.v3"
)

// decoder reads YAML into a configuration, guided by the types of its fields. A
// text setting keeps the characters as they are written; YAML's own types would
// turn the password 0123456 into 42798.
type decoder struct {
	faults *faults
	source string
	lines  bool // the source has line numbers
	budget int  // nodes that may still be read: aliases can multiply them
}

const (
	maxNodes = 100_000
	maxMerge = 8 // depth of nested merge keys
)

func (l *loader) decodeFile(path string, text []byte) {
	root, err := parse(text)
	if err != nil {
		l.faults.unreadable(everything, fmt.Sprintf("configuration file %s: %s", path, err))
		return
	}
	if root == nil {
		return
	}
	d := decoder{faults: l.faults, source: path, lines: true, budget: maxNodes}
	d.section(root, reflect.ValueOf(&l.cfg).Elem(), everything)
}

// assign sets a setting to the text of a variable or flag.
func (l *loader) assign(key, text, source string) {
	v := settingOf(&l.cfg, key)
	l.faults.came(key, source)
	if v.Kind() == reflect.Slice && strings.HasPrefix(strings.TrimSpace(text), "[") {
		root, err := parse([]byte(text))
		if err != nil || root == nil {
			l.faults.unreadable(key, faultText(key, "must be a list as YAML or JSON writes it", source))
			return
		}
		d := decoder{faults: l.faults, source: source, budget: maxNodes}
		d.setting(root, v, key)
		return
	}
	if err := setText(v, text); err != nil {
		l.faults.unreadable(key, faultText(key, err.Error(), source))
	}
}

// parse reads a document; nil: it is empty. The error describes a YAML fault in our
// own words: the parser's text may repeat the input.
func parse(text []byte) (*yamlv3.Node, error) {
	var document, second yamlv3.Node
	reader := yamlv3.NewDecoder(bytes.NewReader(text))
	switch err := reader.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil //nolint:nilnil // an empty document has no settings
	case err != nil:
		return nil, syntaxError(err)
	}
	switch err := reader.Decode(&second); {
	case err == nil:
		return nil, fmt.Errorf("line %d: holds a second document: all settings must stand in one", second.Line)
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(err)
	}
	if len(document.Content) == 0 {
		return nil, nil //nolint:nilnil // as above
	}
	root := document.Content[0]
	if root.Kind == yamlv3.ScalarNode && root.Value == "" && root.Style == 0 {
		return nil, nil //nolint:nilnil // comments only
	}
	return root, nil
}

var yamlLine = regexp.MustCompile(`\bline (\d+)\b`)

func syntaxError(err error) error {
	where := ""
	if match := yamlLine.FindStringSubmatch(err.Error()); match != nil {
		where = "near line " + match[1] + ": "
	}
	switch text := err.Error(); {
	case strings.Contains(text, "tab character"), strings.Contains(text, "cannot start any token"):
		return fmt.Errorf("%sis not YAML: a tab indents where spaces must, or a value begins with a character that needs quotes", where)
	case strings.Contains(text, "unknown anchor"):
		return fmt.Errorf("%sis not YAML: a value begins with * and is no alias; put it in quotes", where)
	case strings.Contains(text, "UTF-8"), strings.Contains(text, "control characters"):
		return fmt.Errorf("%sis not YAML: it must be text in UTF-8", where)
	}
	return fmt.Errorf("%sis not YAML: look for indentation, and for values with \": \" or \" #\" or a special character at the beginning, which need quotes", where)
}

func (d *decoder) at(n *yamlv3.Node) string {
	if d.lines {
		return fmt.Sprintf("%s, line %d", d.source, n.Line)
	}
	return d.source
}

func (d *decoder) fault(n *yamlv3.Node, key, message string) {
	d.faults.unreadable(key, faultText(key, message, d.at(n)))
}

// setting reads a node into a field of any type.
func (d *decoder) setting(n *yamlv3.Node, v reflect.Value, key string) {
	at := n
	if n.Kind == yamlv3.AliasNode {
		n = n.Alias
	}
	switch {
	case d.spent(at, key):
	case n.Style&yamlv3.TaggedStyle != 0 && n.Tag != "!!str":
		d.fault(at, key, "has a YAML tag, which is not taken: write the value alone")
	case isNull(n) && n.Value != "":
		d.fault(at, key, "must not be null: leave the key out, or put the text in quotes if it is meant")
	case isNull(n):
		d.fault(at, key, "has no value")
	case v.Kind() == reflect.Struct:
		d.section(n, v, key)
	case v.Kind() == reflect.Slice && n.Kind == yamlv3.SequenceNode:
		d.list(n, v, key)
	case n.Kind != yamlv3.ScalarNode:
		d.fault(at, key, "must be "+shapeOf(v))
	default:
		d.faults.came(key, d.at(at))
		if err := setText(v, n.Value); err != nil {
			d.fault(at, key, err.Error())
		}
	}
}

func shapeOf(v reflect.Value) string {
	if v.Kind() == reflect.Slice {
		return "a list"
	}
	return "one value, neither a list nor a section"
}

// spent counts a node and reports whether there are too many. It adds that fault
// only once.
func (d *decoder) spent(n *yamlv3.Node, key string) bool {
	if d.budget--; d.budget == -1 {
		d.fault(n, key, "is too much, with all that aliases repeat")
	}
	return d.budget < 0
}

func isNull(n *yamlv3.Node) bool {
	return n.Kind == yamlv3.ScalarNode && n.Style == 0 && n.ShortTag() == "!!null"
}

func (d *decoder) list(n *yamlv3.Node, v reflect.Value, key string) {
	d.faults.came(key, d.at(n))
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.setting(item, list.Index(i), element(key, i))
	}
	v.Set(list)
}

func (d *decoder) section(n *yamlv3.Node, v reflect.Value, key string) {
	if n.Kind != yamlv3.MappingNode {
		if key == everything {
			d.faults.unreadable(everything, fmt.Sprintf("configuration file %s: must hold settings as KEY: VALUE", d.source))
			return
		}
		d.fault(n, key, "must hold settings as KEY: VALUE")
		return
	}
	if strings.HasSuffix(key, "]") {
		d.faults.came(key, d.at(n))
	}
	for _, p := range d.pairs(n, key, maxMerge) {
		path := within(key, p.name)
		field := fieldNamed(v, p.name)
		switch {
		case !field.IsValid() && slices.Contains(Keys(), path):
			d.fault(p.key, path, "must be written in its section, without dots in the key")
		case !field.IsValid():
			d.fault(p.key, path, "there is no such setting")
		case isNull(p.value) && p.value.Value == "": // as in a section with comments only
		default:
			d.setting(p.value, field, path)
		}
	}
}

// within returns the key of a name in a section. An unknown name may contain
// anything, and must stay on one line.
func within(section, name string) string {
	if quoted := strconv.Quote(name); quoted[1:len(quoted)-1] != name {
		name = quoted
	}
	return strings.TrimPrefix(section+"."+name, ".")
}

// pair is a key of a mapping with its value.
type pair struct {
	name       string
	key, value *yamlv3.Node
}

// pairs returns the pairs of a mapping and of the mappings that it merges (<<). A
// merged key that the mapping already has is ignored (yaml.org/type/merge.html).
func (d *decoder) pairs(n *yamlv3.Node, key string, merges int) []pair {
	var own, merged []pair
	has := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, value := n.Content[i], n.Content[i+1]
		switch {
		case d.spent(k, key):
			return nil
		case k.Kind != yamlv3.ScalarNode:
			d.fault(k, key, "has a key that is no plain word")
		case k.Tag == "!!merge":
			merged = append(merged, d.merged(value, key, merges-1)...)
		case has[k.Value]:
			d.fault(k, within(key, k.Value), "is given twice")
		default:
			has[k.Value] = true
			own = append(own, pair{k.Value, k, value})
		}
	}
	for _, p := range merged {
		if !has[p.name] {
			has[p.name] = true
			own = append(own, p)
		}
	}
	return own
}

func (d *decoder) merged(n *yamlv3.Node, key string, merges int) []pair {
	if n.Kind == yamlv3.AliasNode {
		n = n.Alias
	}
	switch {
	case d.spent(n, key):
		return nil
	case merges < 0:
		d.fault(n, key, "merges too much (<<)")
		return nil
	case n.Kind == yamlv3.MappingNode:
		return d.pairs(n, key, merges)
	case n.Kind != yamlv3.SequenceNode:
		d.fault(n, key, "must merge (<<) a section or a list of sections")
		return nil
	}
	var all []pair
	for _, element := range n.Content {
		all = append(all, d.merged(element, key, merges-1)...)
	}
	return all
}
