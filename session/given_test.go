package session

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"

	"pgregory.net/rapid"
)

// parseGiven parses a session and fails the test when it is invalid.
func parseGiven(t interface{ Fatalf(string, ...any) }, given []byte) Document {
	doc, err := Parse(given)
	if err != nil {
		t.Fatalf("%s\n%v", given, err)
	}
	return doc
}

// givenDocument draws sessions as producers may write them: any fields in any
// order, with any white space, dates in any zone, strings with or without escapes.
func givenDocument() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		var members []string
		for _, f := range Fields() {
			required := f.Name == "id" || f.Name == "companyId"
			if f.Name == "messageCount" || !required && !rapid.Bool().Draw(t, "has "+f.Name) {
				continue
			}
			value := "null"
			if required || rapid.IntRange(0, 3).Draw(t, "null") > 0 {
				value = givenValue(t, f)
			}
			members = append(members, quoteJSON(f.Name)+givenSpace(t)+":"+givenSpace(t)+value)
		}
		members = rapid.Permutation(members).Draw(t, "order")
		return []byte(givenSpace(t) + "{" + strings.Join(members, givenSpace(t)+","+givenSpace(t)) + "}" + givenSpace(t))
	})
}

func givenSpace(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "", " ", "\n\t", "\r\n"}).Draw(t, "space")
}

func givenValue(t *rapid.T, f Field) string {
	switch f.Name {
	case "id":
		return quoteJSON("s-" + rapid.StringOf(rapid.RuneFrom(nil, unicode.Letter, unicode.Nd)).Draw(t, "id"))
	case "companyId":
		return strconv.Itoa(rapid.IntRange(1, 1<<31-1).Draw(t, "company"))
	case "messengerType":
		return quoteJSON(rapid.SampledFrom(messengerTypes).Draw(t, f.Name))
	case "operatorType":
		return quoteJSON(rapid.SampledFrom(operatorTypes).Draw(t, f.Name))
	case "clientMessageCount", "operatorMessageCount", "botMessageCount":
		return strconv.Itoa(rapid.IntRange(0, 1000).Draw(t, f.Name))
	}
	return givenOfType(t, f.Type)
}

func givenOfType(t *rapid.T, typ Type) string {
	switch typ {
	case TypeString:
		return givenText(t)
	case TypeInteger:
		return strconv.FormatInt(rapid.Int64().Draw(t, "integer"), 10)
	case TypeNumber:
		return rapid.SampledFrom([]string{"0", "-0.0", "4.50", "1e3", "1E-2", "12345678901234567890"}).Draw(t, "number")
	case TypeBoolean:
		return strconv.FormatBool(rapid.Bool().Draw(t, "boolean"))
	case TypeDate:
		return givenDate(t)
	case TypeStrings:
		return "[" + givenSpace(t) + strings.Join(rapid.SliceOfN(rapid.Just(givenText(t)), 0, 3).Draw(t, "list"), " , ") + "]"
	case TypeOperators:
		return `[ {"type":null, "assigned_at" : ` + givenDate(t) + `}, {"id": 7,"name":` + givenText(t) + `} ]`
	case TypeObject:
		return `{ "b" : [1, {"a":` + givenText(t) + `}], "a":` + givenSpace(t) + `1.50}`
	}
	panic("a type without a generator")
}

func givenDate(t *rapid.T) string {
	// A day inside the limits, so that no offset leads beyond them.
	const day = 86_400_000
	ms := rapid.Int64Range(MinDate+day, MaxDate-day).Draw(t, "ms")
	zone := rapid.SampledFrom([]int{0, 3 * 3600, -8 * 3600, 5*3600 + 1800}).Draw(t, "zone")
	layout := rapid.SampledFrom([]string{time.RFC3339, time.RFC3339Nano, DateLayout}).Draw(t, "layout")
	if layout == DateLayout {
		zone = 0
	}
	return quoteJSON(time.UnixMilli(ms).In(time.FixedZone("", zone)).Format(layout))
}

// givenText draws a string without NUL, sometimes with needless escapes.
func givenText(t *rapid.T) string {
	text := strings.ReplaceAll(rapid.StringN(0, 12, -1).Draw(t, "text"), "\x00", "")
	quoted := quoteJSON(text)
	if rapid.IntRange(0, 3).Draw(t, "escape") == 0 {
		quoted = `"\u0041\/\u003c` + quoted[1:]
	}
	return quoted
}

func quoteJSON(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(quoted)
}
