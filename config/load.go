package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
)

// ErrInvalid marks a configuration that cannot be used. The error lists every
// fault, one per line.
var ErrInvalid = errors.New("invalid configuration")

// Sources are the places that settings come from. Later ones override earlier ones.
type Sources struct {
	File    string   // path of a YAML file; "": none
	Environ []string // "NAME=value", as os.Environ gives them
	Set     []string // "key=value", from flags
}

// Load applies the sources to Default and validates the result. Its error wraps
// ErrInvalid and lists every fault of every source, including a file that cannot be
// read. With an error it also returns what could be read, for further checks only.
func Load(s Sources) (Config, error) {
	return load(s, Config.validate)
}

// LoadEngine is like Load, for commands that use only the engine: other settings
// may be missing.
func LoadEngine(s Sources) (Config, error) {
	return load(s, Config.validateForEngine)
}

func load(s Sources, validate func(Config, *faults)) (Config, error) {
	l := loader{cfg: Default(), faults: &faults{}}
	if s.File != "" {
		l.readFile(s.File)
	}
	l.readEnviron(s.Environ)
	l.readFlags(s.Set)
	validate(l.cfg, l.faults)
	return l.cfg, l.faults.err()
}

// loader applies settings to a configuration. For a setting that cannot be read it
// adds a fault and keeps the old value.
type loader struct {
	cfg    Config
	faults *faults
}

// maxFile limits the size of a configuration file: larger files were named by
// mistake.
const maxFile = 1 << 20

func (l *loader) readFile(path string) {
	text, err := readAtMost(path, maxFile)
	if err != nil {
		l.faults.unreadable(everything, fmt.Sprintf("configuration file %s: %s", path, err))
		return
	}
	l.decodeFile(path, text)
}

func readAtMost(path string, most int64) ([]byte, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names it
	if err != nil {
		return nil, bareError(err)
	}
	defer func() { _ = file.Close() }() // opened for reading only
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	switch {
	case err != nil:
		return nil, bareError(err)
	case int64(len(text)) > most:
		return nil, fmt.Errorf("larger than %s", Size(most))
	}
	return text, nil
}

// bareError removes the path, which the caller names.
func bareError(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

func (l *loader) readFlags(assignments []string) {
	known := Keys()
	for _, assignment := range assignments {
		key, value, ok := strings.Cut(assignment, "=")
		switch {
		case !ok:
			l.faults.note("--set %s: must be KEY=VALUE", key)
		case !slices.Contains(known, key):
			l.faults.note("--set %s: there is no such setting; `scopegate config keys` lists them", key)
		default:
			l.assign(key, value, "--set")
		}
	}
}

// Keys returns the key of every setting, sorted.
func Keys() []string {
	keys := settingKeys(reflect.TypeFor[Config](), "")
	slices.Sort(keys)
	return keys
}

func settingKeys(t reflect.Type, prefix string) []string {
	var keys []string
	for field := range t.Fields() {
		key := prefix + nameOf(field)
		if field.Type.Kind() == reflect.Struct {
			keys = append(keys, settingKeys(field.Type, key+".")...)
			continue
		}
		keys = append(keys, key)
	}
	return keys
}

// nameOf returns a field's name in the file.
func nameOf(field reflect.StructField) string { return field.Tag.Get("yaml") }

// settingOf returns the field of a key from Keys.
func settingOf(cfg *Config, key string) reflect.Value {
	v := reflect.ValueOf(cfg).Elem()
	for name := range strings.SplitSeq(key, ".") {
		v = fieldNamed(v, name)
	}
	return v
}

// fieldNamed returns the field of a struct by its name in the file; the zero Value
// if there is none.
func fieldNamed(v reflect.Value, name string) reflect.Value {
	for field := range v.Type().Fields() {
		if nameOf(field) == name {
			return v.FieldByIndex(field.Index)
		}
	}
	return reflect.Value{}
}
