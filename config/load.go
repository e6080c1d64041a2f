package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	yamlv3 "gopkg.in/yaml.v3"
)

// EnvPrefix starts the name of every environment variable that is a setting.
const EnvPrefix = "SCOPEGATE_"

// ErrInvalid marks a configuration that cannot be used; the error lists every
// fault, one a line.
var ErrInvalid = errors.New("invalid configuration")

// Sources are the places settings come from, the later over the earlier.
type Sources struct {
	File    string   // path of a YAML file; "": none
	Environ []string // "NAME=value", as os.Environ gives them
	Set     []string // "key=value", from flags
}

// Load lays the sources over Default and validates the outcome. Its error
// wraps ErrInvalid, or says why the file could not be read.
func Load(s Sources) (Config, error) {
	cfg, err := read(s)
	if err != nil {
		return Config{}, err
	}
	return cfg, cfg.Validate()
}

// LoadEngine is Load for commands that use the engine alone: other settings may
// be left out.
func LoadEngine(s Sources) (Config, error) {
	cfg, err := read(s)
	if err != nil {
		return Config{}, err
	}
	return cfg, cfg.ValidateEngine()
}

func read(s Sources) (Config, error) {
	layers := koanf.New(".")
	if s.File != "" {
		if err := layers.Load(file.Provider(s.File), yaml.Parser()); err != nil {
			return Config{}, fmt.Errorf("configuration file %s: %w", s.File, bareReadError(err))
		}
	}
	faults := unknownKeys(layers, s.File)
	for _, layer := range []func() (map[string]any, []error){
		func() (map[string]any, []error) { return environSettings(s.Environ) },
		func() (map[string]any, []error) { return flagSettings(s.Set) },
	} {
		settings, bad := layer()
		faults = append(faults, bad...)
		if err := layers.Load(confmap.Provider(settings, "."), nil); err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		return Config{}, invalid(faults)
	}
	cfg := Default()
	if err := layers.UnmarshalWithConf("", &cfg, decoding(&cfg)); err != nil {
		return Config{}, invalid([]error{err})
	}
	return cfg, nil
}

func invalid(faults []error) error {
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w:\n%w", ErrInvalid, errors.Join(faults...))
}

// bareReadError drops the path that Load names already.
func bareReadError(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

func decoding(cfg *Config) koanf.UnmarshalConf {
	return koanf.UnmarshalConf{Tag: "koanf", DecoderConfig: &mapstructure.DecoderConfig{
		TagName:          "koanf",
		Result:           cfg,
		WeaklyTypedInput: true,
		ErrorUnused:      true, // inside lists, where unknownKeys does not look
		DecodeHook: mapstructure.ComposeDecodeHookFunc(
			mapstructure.StringToTimeDurationHookFunc(),
			mapstructure.TextUnmarshallerHookFunc(),
		),
	}}
}

// Keys lists the key of every setting, sorted.
func Keys() []string {
	keys := settingKeys(reflect.TypeFor[Config](), "")
	slices.Sort(keys)
	return keys
}

func settingKeys(t reflect.Type, prefix string) []string {
	var keys []string
	for field := range t.Fields() {
		key := prefix + field.Tag.Get("koanf")
		if field.Type.Kind() == reflect.Struct && field.Type != reflect.TypeFor[time.Duration]() {
			keys = append(keys, settingKeys(field.Type, key+".")...)
			continue
		}
		keys = append(keys, key)
	}
	return keys
}

// EnvName is the environment variable of a setting.
func EnvName(key string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func unknownKeys(layers *koanf.Koanf, path string) []error {
	known := Keys()
	var faults []error
	for _, key := range layers.Keys() {
		if !slices.Contains(known, key) {
			faults = append(faults, fmt.Errorf("%s: there is no such setting (in %s)", key, path))
		}
	}
	return faults
}

func environSettings(environ []string) (map[string]any, []error) {
	byName := map[string]string{}
	for _, key := range Keys() {
		byName[EnvName(key)] = key
	}
	settings := map[string]any{}
	var faults []error
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, EnvPrefix) || foreign(name) {
			continue
		}
		key, ok := byName[name]
		if !ok {
			faults = append(faults, fmt.Errorf("%s: there is no such setting; `scopegate config keys` lists them", name))
			continue
		}
		faults = append(faults, set(settings, key, value, name)...)
	}
	return settings, faults
}

// foreign tells variables that other commands, the tests and their services
// read.
func foreign(name string) bool {
	return slices.Contains([]string{EnvPrefix + "CONFIG", EnvPrefix + "DATA", EnvPrefix + "REQUIRE_SERVICES", EnvPrefix + "SCREENSHOT", EnvPrefix + "TOKEN"}, name) ||
		strings.HasPrefix(name, EnvPrefix+"TEST_") || strings.HasPrefix(name, EnvPrefix+"SERVICES_")
}

func flagSettings(assignments []string) (map[string]any, []error) {
	known := Keys()
	settings := map[string]any{}
	var faults []error
	for _, assignment := range assignments {
		key, value, ok := strings.Cut(assignment, "=")
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("--set %s: must be KEY=VALUE", key))
		case !slices.Contains(known, key):
			faults = append(faults, fmt.Errorf("--set %s: there is no such setting; `scopegate config keys` lists them", key))
		default:
			faults = append(faults, set(settings, key, value, "--set "+key)...)
		}
	}
	return settings, faults
}

// set reads the value as YAML, so that lists can be given outside the file, but
// keeps scalars as they are written: the decoder knows their type.
func set(settings map[string]any, key, value, origin string) []error {
	trimmed := strings.TrimSpace(value)
	if !strings.HasPrefix(trimmed, "[") {
		settings[key] = value
		return nil
	}
	var list []any
	if err := yamlv3.Unmarshal([]byte(trimmed), &list); err != nil {
		return []error{fmt.Errorf("%s: must be a list as YAML or JSON writes it", origin)}
	}
	settings[key] = list
	return nil
}
