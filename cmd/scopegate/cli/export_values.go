package cli

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// given is a parameter of the API as a flag. One that was given reaches the
// gateway whatever it was given: an empty value, as an unset shell variable
// gives, must be refused, not widen what is exported.
type given[T any] struct{ value *T }

// asked is the value as the body has it; ok is false when none was given.
func (g given[T]) asked() (value any, ok bool) {
	if g.value == nil {
		return nil, false
	}
	return *g.value, true
}

// parameter is any of them.
type parameter interface {
	asked() (value any, ok bool)
}

var (
	errTwice   = errors.New("is given more than once")
	errUTF8    = errors.New("is not valid UTF-8")
	errText    = errors.New("must be text")
	errNumber  = errors.New("must be a whole number")
	errDecimal = errors.New("must be a number, such as 4.5")
	errBoolean = errors.New("must be true or false")
)

// once takes a single value.
func (g *given[T]) once(ctx *kong.DecodeContext, parse func(string) (T, error)) error {
	if g.value != nil {
		return errTwice
	}
	text, err := flagText(ctx)
	if err != nil {
		return err
	}
	v, err := parse(text)
	g.value = &v
	return err
}

func flagText(ctx *kong.DecodeContext) (string, error) {
	token, err := ctx.Scan.PopValue("flag")
	if err != nil {
		return "", err
	}
	text, ok := token.Value.(string)
	if !ok {
		return "", errText
	}
	if !utf8.ValidString(text) {
		return "", errUTF8
	}
	return text, nil
}

type textParam struct{ given[string] }

// Decode implements kong.MapperValue.
func (p *textParam) Decode(ctx *kong.DecodeContext) error {
	return p.once(ctx, func(text string) (string, error) { return text, nil })
}

type numberParam struct{ given[int64] }

// Decode implements kong.MapperValue.
func (p *numberParam) Decode(ctx *kong.DecodeContext) error { return p.once(ctx, parseNumber) }

func parseNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0, errNumber
	}
	return n, nil
}

type decimalParam struct{ given[float64] }

// Decode implements kong.MapperValue.
func (p *decimalParam) Decode(ctx *kong.DecodeContext) error { return p.once(ctx, parseDecimal) }

// parseDecimal refuses what is no number in JSON: NaN and infinite ones.
func parseDecimal(text string) (float64, error) {
	x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, errDecimal
	}
	return x, nil
}

// zoneParam is a number of minutes or a name.
type zoneParam struct{ given[any] }

// Decode implements kong.MapperValue.
func (p *zoneParam) Decode(ctx *kong.DecodeContext) error {
	return p.once(ctx, func(text string) (any, error) {
		if n, err := parseNumber(text); err == nil {
			return n, nil
		}
		return text, nil
	})
}

type switchParam struct{ given[bool] }

// IsBool implements kong.BoolMapperValue: --flag alone is true.
func (*switchParam) IsBool() bool { return true }

// Decode implements kong.MapperValue.
func (p *switchParam) Decode(ctx *kong.DecodeContext) error {
	if ctx.Scan.Peek().Type == kong.FlagValueToken { // --flag=…
		return p.once(ctx, parseSwitch)
	}
	if p.value != nil {
		return errTwice
	}
	on := true
	p.value = &on
	return nil
}

// parseSwitch takes what the API takes.
func parseSwitch(text string) (bool, error) {
	switch text {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, errBoolean
}

// listParam may be repeated, or hold several at once: a,b.
type listParam struct{ given[[]string] }

// Decode implements kong.MapperValue.
func (p *listParam) Decode(ctx *kong.DecodeContext) error {
	text, err := flagText(ctx)
	if err != nil {
		return err
	}
	entries := splitList(text)
	if p.value != nil {
		entries = append(*p.value, entries...)
	}
	p.value = &entries
	return nil
}

// numbersParam is a listParam of whole numbers.
type numbersParam struct{ given[[]int64] }

// Decode implements kong.MapperValue.
func (p *numbersParam) Decode(ctx *kong.DecodeContext) error {
	text, err := flagText(ctx)
	if err != nil {
		return err
	}
	var numbers []int64
	if p.value != nil {
		numbers = *p.value
	}
	for _, entry := range splitList(text) {
		n, err := parseNumber(entry)
		if err != nil {
			return fmt.Errorf("%q: %w", entry, err)
		}
		numbers = append(numbers, n)
	}
	p.value = &numbers
	return nil
}

// splitList cuts at commas; one behind a backslash is part of an entry. Empty
// entries stay: they are the gateway's to refuse.
func splitList(text string) []string {
	const comma = "\x00" // no flag has a NUL
	entries := strings.Split(strings.ReplaceAll(text, `\,`, comma), ",")
	for i, entry := range entries {
		entries[i] = strings.ReplaceAll(strings.TrimSpace(entry), comma, ",")
	}
	return entries
}
