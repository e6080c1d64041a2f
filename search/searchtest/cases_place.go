package searchtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// placed is a session with a different value in each searched field, so that the
// cases can search for every part of every field.
var placed = values{
	"name":             "qzstart Mid-jkx-word endvpw",
	"clientId":         "cbstart.mid-fgy.endwkm",
	"whatsappPhone":    "+15550001 ext hdmid 77zendxu",
	"telegramClientId": "@tgstart_midvbn_endplm",
}

func placeFixture() []spec {
	of := func(id string, v values) spec { return spec{id, placeCo, v} }
	specs := []spec{
		of("k01", placed),
		of("k02", values{"name": "reader foo", "clientId": "barista", "whatsappPhone": "bazooka", "telegramClientId": "quxote"}),
		of("k03", values{"companyName": "zebra", "operatorName": "zebra", "chatName": "zebra", "botName": "zebra",
			"clientExternalId": "zebra", "city": "zebra", "tags": "zebra", "lastOperatorMessage": "zebra"}),
		of("k04", values{"name": "Zebra crossing"}),
		of("k05", values{"name": "two  spaces", "clientId": "under_score"}),
		of("k06", nil),
	}
	// These sessions also match the cases of one character, which would otherwise
	// match a single session.
	for i, letter := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		specs = append(specs, of(fmt.Sprintf("l%02d", i), values{searched[i%len(searched)]: letter}))
	}
	return specs
}

func placeChecks() []check {
	return slices.Concat(partChecks(), reads("place", placeCo, []read{
		{name: "no other field is searched", keyword: "zebra", want: "k04"},
		{name: "words of one field", keyword: "qzstart endvpw", want: "k01"},
		{name: "words of two fields", keyword: "qzstart cbstart", want: "k01"},
		{name: "words of four fields", keyword: "endvpw endwkm 77zendxu endplm", want: "k01"},
		{name: "words in another order", keyword: "endplm 77zendxu endwkm endvpw", want: "k01"},
		{name: "one word of many is missing", keyword: "qzstart cbstart nowhere"},
		{name: "one word twice", keyword: "zebra zebra", want: "k04"},
		{name: "a word and its part", keyword: "zeb zebra ebr", want: "k04"},
		{name: "words of one session each", keyword: "qzstart barista"},
		{name: "across name and client id", keyword: "foobar"},
		{name: "across client id and phone", keyword: "aristabaz"},
		{name: "across phone and telegram id", keyword: "ookaqux"},
		{name: "across telegram id and name", keyword: "otereader"},
		{name: "across name and phone", keyword: "foobazooka"},
		{name: "across fields in two letters", keyword: "ob"},
		{name: "across fields with a unit separator", keyword: "foo\u001fbar"},
		{name: "across fields with a control character", keyword: "foo\u0001bar"},
		{name: "across fields with a private character", keyword: "foo\ue000bar"},
		{name: "across fields with the last character", keyword: "foo\U0010ffffbar"},
		{name: "across fields with a backslash", keyword: `foo\nbar`},
		{name: "both sides of a border", keyword: "foo bar", want: "k02"},
		{name: "white space within a field", keyword: "two spaces", want: "k05"},
		{name: "across white space within a field", keyword: "twospaces"},
		{name: "in capitals", keyword: "QZSTART", want: "k01"},
		{name: "nobody has it", keyword: "wholly-unknown"},
	}))
}

// partChecks search for short and long parts at the start, in the middle and at the
// end of each searched field, and for the whole value.
func partChecks() []check {
	var all []check
	for _, field := range searched {
		text := []rune(placed[field].(string))
		for _, length := range []int{1, 2, 3, 6} {
			places := map[string]int{"start": 0, "middle": 11, "end": len(text) - length}
			for _, place := range []string{"start", "middle", "end"} {
				part := string(text[places[place]:][:length])
				name := fmt.Sprintf("place/%d characters at the %s of %s", length, place, field)
				all = append(all, check{name, finds("k01", everything(placeCo).find(part))})
			}
		}
		all = append(all, check{"place/the whole of " + field, finds("k01", everything(placeCo).find(string(text)))})
	}
	return all
}

// finds is a case whose answer must contain one session and leave out others.
func finds(id string, a ask) func(context.Context, *env) error {
	return func(ctx context.Context, e *env) error {
		_, naive, err := e.agree(ctx, a)
		if err != nil {
			return err
		}
		if ids := naive.ids(); !slices.Contains(ids, id) || len(ids) == len(e.held(a.companies)) {
			return fmt.Errorf("%v: %q must be found, and not with all others: %s", a, id, shorten(ids))
		}
		return nil
	}
}
