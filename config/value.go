package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of durations and sizes: larger values are mistakes, and sums of them would
// overflow.
const (
	maxDuration = 365 * 24 * time.Hour
	maxSize     = 1 << 50
)

// setText sets a setting of any type from text. The error says what the text must
// be, without repeating it.
func setText(v reflect.Value, text string) error {
	switch v.Interface().(type) {
	case time.Duration:
		d, err := parseDuration(strings.TrimSpace(text))
		v.SetInt(int64(d))
		return err
	case Size:
		size, err := parseSize(strings.TrimSpace(text))
		v.SetInt(int64(size))
		return err
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return checkText(text)
	case reflect.Bool:
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "true", "1":
			v.SetBool(true)
		case "false", "0":
			v.SetBool(false)
		default:
			return errors.New("must be true or false")
		}
		return nil
	case reflect.Int:
		n, err := parseWhole(strings.TrimSpace(text))
		v.SetInt(n)
		return err
	case reflect.Uint32:
		n, err := parseWhole(strings.TrimSpace(text))
		if err == nil && n != int64(uint32(n)) {
			n, err = 0, fmt.Errorf("must be 1 to %d", maxCompanyID)
		}
		v.SetUint(uint64(n))
		return err
	case reflect.Slice:
		return setList(v, text)
	}
	return fmt.Errorf("cannot be given as text: it is a %s", v.Type())
}

// setList makes a list of one element. Text with commas must be written as a YAML
// list, since a comma may be part of a value or separate values.
func setList(v reflect.Value, text string) error {
	list := reflect.MakeSlice(v.Type(), 0, 1)
	switch {
	case text == "":
	case v.Type().Elem().Kind() == reflect.Struct:
		return errors.New("must be a list of sections")
	case strings.Contains(text, ","):
		return errors.New("must be written as a list, [A, B], with quotes around a value that has a comma in it")
	default:
		list = reflect.Append(list, reflect.Zero(v.Type().Elem()))
		if err := setText(list.Index(0), text); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

// checkText accepts every character except a line break at either end: files of
// secrets often end with one, and nobody sees it.
func checkText(text string) error {
	switch {
	case !utf8.ValidString(text):
		return errors.New("must be text in UTF-8")
	case strings.Trim(text, "\r\n") != text:
		return errors.New("must not begin or end with a line break")
	}
	return nil
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d > maxDuration || d < -maxDuration {
		return 0, errors.New("must be a duration with its unit, such as 250ms, 30s or 1m30s, and of at most 8760h")
	}
	return d, nil
}

// parseWhole accepts decimal digits only: versions of YAML differ in whether 0x1F,
// 017 or 1_000 is a number, and in its value.
func parseWhole(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if digits := strings.TrimLeft(text, "+-"); err != nil || len(digits) > 1 && digits[0] == '0' {
		return 0, errors.New("must be a whole number in digits, without leading zeros")
	}
	return n, nil
}

// Secret is a value that is never printed.
type Secret string

var _ fmt.Stringer = Secret("")

// String hides the value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "********"
}

// GoString hides the value from %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalText hides the value from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }

// Size is a number of bytes, written as a number with an optional unit: 512,
// 64KiB, 256MiB, 1GiB.
type Size int64

var errSize = errors.New("must be a size such as 512, 64KiB, 256MiB or 1GiB")

func sizeUnits() []struct {
	suffix string
	bytes  int64
} {
	return []struct {
		suffix string
		bytes  int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
}

// parseSize reads a size; a number without a unit is in bytes.
func parseSize(text string) (Size, error) {
	number, unit := text, int64(1)
	for _, u := range sizeUnits() {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > maxSize/unit {
		return 0, errSize
	}
	return Size(n * unit), nil
}

// String writes the size in its largest whole unit.
func (s Size) String() string {
	for _, u := range sizeUnits() {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return "0B"
}

// MarshalText writes the size as String does.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
