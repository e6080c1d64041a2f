package config_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/config"
)

// texts lists text settings of every kind that accept any text: secret or not,
// alone, in a list, in an issuer.
func texts(c config.Config) []string {
	all := []string{
		c.Redis.Username, c.Redis.Password.Reveal(), c.Redis.SentinelPassword.Reveal(), c.Redis.MasterName,
		c.Elasticsearch.Username, c.Elasticsearch.Password.Reveal(), c.Elasticsearch.APIKey.Reveal(),
		c.Cache.Namespace, c.Identity.CompanyClaim, c.Identity.SupervisorRole, c.SQLite.Dir, c.Exports.TempDir,
	}
	for _, issuer := range c.Identity.Issuers {
		all = append(append(all, issuer.Issuer), issuer.Audiences...)
	}
	return all
}

// everyText returns a file with the same YAML value in each setting of texts.
func everyText(value string) string {
	return strings.ReplaceAll(`
redis: {username: V, password: V, sentinel_password: V, master_name: V}
elasticsearch: {username: V, password: V, api_key: V}
cache: {namespace: V}
identity:
  company_claim: V
  supervisor_role: V
  issuers: [{issuer: V, jwks_url: "https://iam.example.org/jwks.json", audiences: [V, V]}]
sqlite: {dir: V}
exports: {temp_dir: V}
`, "V", value)
}

func checkTexts(t interface{ Errorf(string, ...any) }, got config.Config, err error, want string) {
	if err != nil {
		t.Errorf("%q: %v", want, err)
		return
	}
	for _, text := range texts(got) {
		if text != want {
			t.Errorf("%q became %q", want, text)
		}
	}
}

func loadText(t *testing.T, text string) (config.Config, error) {
	t.Helper()
	return config.Load(config.Sources{File: writeFile(t, text)})
}

func TestTextInAFileKeepsTheCharactersAsWritten(t *testing.T) {
	for _, value := range []string{
		"0123456", "007", "0123", "1e5", "1.10", "1_000", "0x1F", "0o17", "0b11", "104212345678901234567", "-0", "+5", ".5", "1.", ".inf", ".NaN",
		"true", "True", "no", "on", "y", "12:30:45", "190:20:30", "2026-01-02", "2026-01-02T03:04:05Z", "<", "=", "a#b", "a:b", "%20b", "a b",
		"nullable", "_", "1,5",
	} {
		if value == "%20b" || value == "1,5" { // need quotes in YAML
			got, err := loadText(t, everyText(`"`+value+`"`))
			checkTexts(t, got, err, value)
			continue
		}
		got, err := loadText(t, everyText(value))
		checkTexts(t, got, err, value)
		for _, quoted := range []string{`"` + value + `"`, `'` + value + `'`, `!!str ` + value} {
			got, err := loadText(t, everyText(quoted))
			checkTexts(t, got, err, value)
		}
	}
}

func TestTextBehindAnAnchorKeepsItsCharactersToo(t *testing.T) {
	got, err := loadText(t, `
cache: {namespace: &n 0123456}
redis: &r {username: *n}
identity:
  issuers:
    - &first {issuer: *n, jwks_url: "https://iam.example.org/jwks.json", audiences: &a [*n, 007], companies: [1]}
    - {<<: *first, issuer: "1e5", companies: [2]}
    - {<<: [{audiences: [x]}, *first], issuer: 2e5, audiences: *a, companies: [3]}
`)
	if err != nil {
		t.Fatal(err)
	}
	const keys = "https://iam.example.org/jwks.json"
	want := []config.Issuer{
		{Issuer: "0123456", JWKSURL: keys, Audiences: []string{"0123456", "007"}, Companies: []uint32{1}},
		{Issuer: "1e5", JWKSURL: keys, Audiences: []string{"0123456", "007"}, Companies: []uint32{2}},
		{Issuer: "2e5", JWKSURL: keys, Audiences: []string{"0123456", "007"}, Companies: []uint32{3}},
	}
	if diff := cmp.Diff(want, got.Identity.Issuers); diff != "" {
		t.Error(diff)
	}
	if got.Redis.Username != "0123456" {
		t.Errorf("username is %q", got.Redis.Username)
	}
}

func TestNullAndTagsAreRefusedWhereTextIsWanted(t *testing.T) {
	for value, want := range map[string]string{
		"null":         "must not be null",
		"~":            "must not be null",
		"Null":         "must not be null",
		"!!int 7":      "has a YAML tag",
		"!env SECRET":  "has a YAML tag",
		"!!binary aGk": "has a YAML tag",
		`"a\n"`:        "must not begin or end with a line break",
		"[a, b]":       "must be one value",
		"{a: b}":       "must be one value",
	} {
		_, err := loadText(t, minimal+"redis: {password: "+value+"}\n")
		if err == nil || !strings.Contains(err.Error(), "redis.password: "+want) || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%s: error %v", value, err)
		}
	}
	_, err := loadText(t, strings.Replace(minimal, "[scopegate]", "\n        - a\n        - ~\n        -\n", 1))
	if err == nil || !strings.Contains(err.Error(), "identity.issuers[0].audiences[1]: must not be null") ||
		!strings.Contains(err.Error(), "identity.issuers[0].audiences[2]: has no value") {
		t.Errorf("error %v", err)
	}
}

func TestAKeyWithoutAValueStaysAtItsDefault(t *testing.T) {
	got, err := loadText(t, minimal+"cache:\n  # fresh: 1s\nredis:\n  username:\nlisten:\nhttp: {trusted_proxies: , max_url: }\n")
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Identity.Issuers = got.Identity.Issuers
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnyCharacterReachesATextSetting(t *testing.T) {
	written := minimal + "sqlite: {dir: of-the-file}\n"
	file := writeFile(t, written)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(
			rapid.SampledFrom([]rune("[]{}\"'`#:%,&*!|>@ \t\n\\=~$-?")), rapid.Rune(),
		)).Filter(func(s string) bool {
			return s != "" && strings.Trim(s, "\r\n") == s && !strings.ContainsRune(s, 0) && !strings.ContainsRune(s, unicode.ReplacementChar)
		}).Draw(t, "text")
		list, err := json.Marshal([]string{text})
		if err != nil {
			t.Fatal(err)
		}
		for from, sources := range map[string]config.Sources{
			"variable": {File: file, Environ: []string{"SCOPEGATE_REDIS_PASSWORD=" + text, "SCOPEGATE_CACHE_NAMESPACE=" + text}},
			"flag":     {File: file, Set: []string{"redis.password=" + text, "cache.namespace=" + text}},
		} {
			got, err := config.Load(sources)
			if err != nil || got.Redis.Password.Reveal() != text || got.Cache.Namespace != text {
				t.Fatalf("%s: %q became %q and %q, error %v", from, text, got.Redis.Password.Reveal(), got.Cache.Namespace, err)
			}
		}
		// YAML reads a surrogate pair as two characters.
		if strings.ContainsFunc(text, func(r rune) bool { return r > 0xffff || !unicode.IsPrint(r) }) {
			return
		}
		issuers := fmt.Sprintf(`[{"issuer": "i", "jwks_url": "https://iam.example.org/jwks.json", "audiences": %s}]`, list)
		got, err := config.Load(config.Sources{Environ: []string{"SCOPEGATE_IDENTITY_ISSUERS=" + issuers}})
		if err != nil || got.Identity.Issuers[0].Audiences[0] != text {
			t.Fatalf("in a list: %q became %v, error %v", text, got.Identity.Issuers, err)
		}
	})
}

func TestTextFromAVariableOrFlagIsTakenAsItIs(t *testing.T) {
	for _, text := range []string{
		"[s3cret", "[s3cret]", "{s3cret", "{a: b}", `"quoted"`, "'quoted'", "a#b", "#b", "a: b", "%41", " spaces ", "\ttab", "two\nlines", "*a", "&a", "!!int 7",
		"0123456", "1e5", "null", "~", "true", "$HOME", "a,b", "=", "a=b", "@x", "`x`", "\\n",
	} {
		for _, sources := range []config.Sources{
			{Environ: []string{"SCOPEGATE_REDIS_PASSWORD=" + text}}, {Set: []string{"redis.password=" + text}},
		} {
			got, err := config.LoadEngine(sources)
			if err != nil || got.Redis.Password.Reveal() != text {
				t.Errorf("%q became %q, error %v", text, got.Redis.Password.Reveal(), err)
			}
		}
	}
	for text, want := range map[string]string{"line\n": "line break", "\r\nline": "line break", "\xff": "UTF-8"} {
		_, err := config.LoadEngine(config.Sources{Environ: []string{"SCOPEGATE_REDIS_PASSWORD=" + text}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "(SCOPEGATE_REDIS_PASSWORD)") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func TestListsOfVariablesAndFlags(t *testing.T) {
	tests := map[string][]string{
		"a:1":              {"a:1"},
		"[a:1, b:2]":       {"a:1", "b:2"},
		` ["a:1","b:2"] `:  {"a:1", "b:2"},
		"[\n  a:1,\n b:2]": {"a:1", "b:2"},
		"[]":               {},
	}
	for text, want := range tests {
		for _, sources := range []config.Sources{
			{Environ: []string{"SCOPEGATE_REDIS_ADDRESSES=" + text}}, {Set: []string{"redis.addresses=" + text}},
		} {
			sources.Set = append(sources.Set, "cache.keys=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
			got, err := config.LoadEngine(sources)
			if err != nil {
				t.Errorf("%q: %v", text, err)
				continue
			}
			if diff := cmp.Diff(want, got.Redis.Addresses); diff != "" {
				t.Errorf("%q: %s", text, diff)
			}
		}
	}
	for text, want := range map[string]string{
		"a:1,b:2":     "must be written as a list",
		"[a:1":        "must be a list as YAML or JSON writes it",
		"[a:1] b":     "must be a list as YAML or JSON writes it",
		"[a:1]: b":    "must be a list",
		"[[a:1]]":     "redis.addresses[0]: must be one value",
		"[a:1, null]": "redis.addresses[1]: must not be null",
	} {
		_, err := config.LoadEngine(config.Sources{Environ: []string{"SCOPEGATE_REDIS_ADDRESSES=" + text}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "SCOPEGATE_REDIS_ADDRESSES") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func TestAnEmptyVariableCountsAsNotSetAndAnEmptyFlagDoesNot(t *testing.T) {
	file := writeFile(t, minimal+"audit: {file: audit.log}\nhttp: {trusted_proxies: [10.0.0.1]}\n")
	variables := []string{"SCOPEGATE_AUDIT_FILE=", "SCOPEGATE_HTTP_TRUSTED_PROXIES=", "SCOPEGATE_CACHE_FRESH=", "SCOPEGATE_LISTEN="}
	got, err := config.Load(config.Sources{File: file, Environ: variables})
	if err != nil || got.Audit.File != "audit.log" || len(got.HTTP.TrustedProxies) != 1 || got.Listen != config.Default().Listen {
		t.Errorf("got %+v, error %v", got, err)
	}
	got, err = config.Load(config.Sources{File: file, Set: []string{"audit.file=", "http.trusted_proxies="}})
	if err != nil || got.Audit.File != "" || len(got.HTTP.TrustedProxies) != 0 {
		t.Errorf("got %+v, error %v", got, err)
	}
	if _, err = config.Load(config.Sources{File: file, Set: []string{"cache.fresh="}}); err == nil {
		t.Error("an empty duration was taken")
	}
}
