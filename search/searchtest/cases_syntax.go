package searchtest

import "fmt"

// syntaxCharacters have a meaning in some query language.
const syntaxCharacters = "*?\"/\\:()^-+~{}[]%_';#&|!<>=@,.$`"

func syntaxFixture() []spec {
	names := [][2]string{
		{"x01", "plain name"},
		{"x02", `say "plain name" twice`},
		{"x03", "name:plain"},
		{"x04", "plain* pl?in pl%in pl_in"},
		{"x05", "alice AND bob OR carol NOT dave NEAR eve"},
		{"x06", "Robert'); DROP TABLE sessions;-- "},
		{"x07", `back\slash c:\temp\n`},
		{"x08", "/plain.*/ [a-z]+ ^plain$ (plain|name)"},
		{"x09", "plain~2 +plain -name !name plain^3 {plain TO name}"},
		{"x10", "100% 50_50"},
		{"x11", "alice bob carol dave eve"},
		{"x12", `{"match_all":{}} <script>&amp;`},
		{"x13", "plainname"},
	}
	var specs []spec
	for _, n := range names {
		specs = append(specs, spec{n[0], syntaxCo, values{"name": n[1]}})
	}
	for i, c := range syntaxCharacters {
		id := fmt.Sprintf("y%02d", i)
		specs = append(specs, spec{id, syntaxCo, values{searched[i%len(searched)]: "a" + string(c) + "z"}})
	}
	return append(specs, spec{"x14", syntaxCo, nil})
}

func syntaxChecks() []check {
	all := reads("syntax", syntaxCo, []read{
		{name: "a star is no wildcard", keyword: "plain*", want: "x04"},
		{name: "a star within a word", keyword: "pl*n"},
		{name: "a question mark is no wildcard", keyword: "pl?in", want: "x04"},
		{name: "a percent sign is no wildcard", keyword: "pl%in", want: "x04"},
		{name: "an underscore is no wildcard", keyword: "pl_in", want: "x04"},
		{name: "a percent sign alone", keyword: "%", want: "x04 x10 y16"},
		{name: "two percent signs", keyword: "%%"},
		{name: "an escaped percent sign", keyword: `\%`},
		{name: "quotes are no phrase", keyword: `"plain name"`, want: "x02"},
		{name: "quotes apart", keyword: `name" "plain`, want: "x02"},
		{name: "one quote", keyword: `"pla`, want: "x02"},
		{name: "two quotes in a row", keyword: `""`},
		{name: "a colon is no field", keyword: "name:plain", want: "x03"},
		{name: "a field's name is no field", keyword: "status:open"},
		{name: "a star for a field", keyword: "*:*"},
		{name: "AND is a word", keyword: "alice AND bob", want: "x05"},
		{name: "OR is a word", keyword: "alice OR nobody"},
		{name: "OR is found as a word", keyword: "carol OR bob", want: "x05"},
		{name: "NOT is a word", keyword: "carol NOT dave", want: "x05"},
		{name: "NEAR is a word", keyword: "NEAR eve", want: "x05"},
		{name: "NEAR with brackets", keyword: "NEAR(dave eve)"},
		{name: "NEAR with a distance", keyword: "NEAR/2"},
		{name: "AND alone", keyword: "AND", want: "x05"},
		{name: "operators in small letters", keyword: "alice and or not near", want: "x05"},
		{name: "words without operators", keyword: "alice bob carol", want: "x05 x11"},
		{name: "a minus does not exclude", keyword: "plain -name", want: "x09"},
		{name: "a plus does not demand", keyword: "+plain", want: "x09"},
		{name: "an exclamation mark does not exclude", keyword: "!name", want: "x09"},
		{name: "a tilde is not fuzzy", keyword: "plain~2", want: "x09"},
		{name: "a tilde alone does not widen", keyword: "plian~"},
		{name: "a caret is no anchor", keyword: "^plain", want: "x08"},
		{name: "a caret is no boost", keyword: "plain^3", want: "x09"},
		{name: "braces are no range", keyword: "{plain TO name}", want: "x09"},
		{name: "brackets are no set", keyword: "[a-z]+", want: "x08"},
		{name: "slashes are no regular expression", keyword: "/plain.*/", want: "x08"},
		{name: "a dot is no wildcard", keyword: "pl.in"},
		{name: "a bar is no choice", keyword: "(plain|name)", want: "x08"},
		{name: "a backslash escapes nothing", keyword: `k\s`, want: "x07"},
		{name: "a path", keyword: `c:\temp\n`, want: "x07"},
		{name: "two backslashes", keyword: `\\`},
		{name: "a trailing backslash", keyword: `back\`, want: "x07"},
		{name: "SQL in a keyword", keyword: "'); DROP TABLE sessions;--", want: "x06"},
		{name: "SQL that is always true", keyword: "' OR '1'='1"},
		{name: "a comment", keyword: ";--", want: "x06"},
		{name: "a JSON query", keyword: `{"match_all":{}}`, want: "x12"},
		{name: "markup", keyword: "<script>&amp;", want: "x12"},
		{name: "a placeholder", keyword: "?1 $1 :name @p"},
		{name: "a format verb", keyword: "%s%d"},
		{name: "a character reference", keyword: `\u0070lain`},
	})
	for i, c := range syntaxCharacters {
		id := fmt.Sprintf("y%02d", i)
		all = append(all,
			check{"syntax/" + string(c) + " alone", finds(id, everything(syntaxCo).find(string(c)))},
			check{"syntax/" + string(c) + " between letters", finds(id, everything(syntaxCo).find("a"+string(c)+"z"))})
	}
	return all
}
