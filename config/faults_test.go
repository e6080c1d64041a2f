package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/config"
)

// checkFaults compares the lines of the error with want, in order; FILE stands for
// the file's path.
func checkFaults(t *testing.T, s config.Sources, want ...string) {
	t.Helper()
	_, err := config.Load(s)
	if !errors.Is(err, config.ErrInvalid) {
		t.Fatalf("error %v, want ErrInvalid", err)
	}
	got := strings.Split(strings.ReplaceAll(err.Error(), s.File, "FILE"), "\n")[1:]
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("lacks %q", want[i])
		case i >= len(want):
			t.Errorf("has %q too", got[i])
		case !strings.HasPrefix(got[i], want[i]):
			t.Errorf("has %q\nwant %q", got[i], want[i])
		}
	}
}

func TestADurationNeedsItsUnitInEverySource(t *testing.T) {
	const want = "must be a duration with its unit, such as 250ms, 30s or 1m30s, and of at most 8760h"
	for _, value := range []string{"30", "1.5", "1e3", "0x10", "-5", `"30"`, "0.0", "2 s", "1_000s", "9000h", "1d", "true", "00:30"} {
		t.Run(value, func(t *testing.T) {
			checkFaults(t, config.Sources{File: writeFile(t, minimal+"http: {request_timeout: "+value+"}\n")},
				"http.request_timeout: "+want+" (FILE, line 7)")
			bare := strings.Trim(value, `"`)
			checkFaults(t, config.Sources{File: writeFile(t, minimal), Environ: []string{"SCOPEGATE_REDIS_BUDGET=" + bare}},
				"redis.budget: "+want+" (SCOPEGATE_REDIS_BUDGET)")
			checkFaults(t, config.Sources{File: writeFile(t, minimal), Set: []string{"directory.refresh=" + bare}},
				"directory.refresh: "+want+" (--set)")
		})
	}
	for _, zero := range []string{"0", "0s", `"0"`} {
		got, err := loadText(t, minimal+"cache: {fresh: "+zero+", watch: "+zero+"}\n")
		if err != nil || got.Cache.Fresh != 0 {
			t.Errorf("%s: %s, error %v", zero, got.Cache.Fresh, err)
		}
	}
}

func TestNoFaultHidesAnother(t *testing.T) {
	checkFaults(t, config.Sources{
		File: writeFile(t, `
cache: {max_size: 256MB, fresh: 2m, max_size: 1GiB}
directory: {refresh: 20s, maxstale: 1m}
identity:
  issuers:
    - {issuer: a, jwks_url: "https://a.example/jwks", audiences: [x], colour: red, algorithms: [HS256], companies: [1, zwei, 4294967296, 0]}
    - {issuer: a, jwks_url: "http://a.example/jwks", audiences: [], companies: 5}
    - 7
  company_claim: [a]
limits: 5
listn: 1
http.max_url: 1KiB
`),
		Environ: []string{"SCOPEGATE_REDIS_DB=one", "SCOPEGATE_NOPE=1", `SCOPEGATE_CACHE_KEYS=[aaaa, "bbbb"]`, "SCOPEGATE_REDIS_TLS=yes", "SCOPEGATE_REDIS_CA_FILE=x"},
		Set:     []string{"log.level=loud", "exports.at_once=0x10", "exports.per_account=0", "nope=1", "listen"},
	},
		"cache.max_size: is given twice (FILE, line 2)",
		"cache.max_size: must be a size such as 512, 64KiB, 256MiB or 1GiB (FILE, line 2)",
		"directory.maxstale: there is no such setting (FILE, line 3)",
		"identity.issuers[0].colour: there is no such setting (FILE, line 6)",
		"identity.issuers[0].companies[1]: must be a whole number in digits, without leading zeros (FILE, line 6)",
		"identity.issuers[0].companies[2]: must be 1 to 2147483647 (FILE, line 6)",
		"identity.issuers[2]: must hold settings as KEY: VALUE (FILE, line 8)",
		"identity.company_claim: must be one value, neither a list nor a section (FILE, line 9)",
		"limits: must hold settings as KEY: VALUE (FILE, line 10)",
		"listn: there is no such setting (FILE, line 11)",
		"http.max_url: must be written in its section, without dots in the key (FILE, line 12)",
		"redis.db: must be a whole number in digits, without leading zeros (SCOPEGATE_REDIS_DB)",
		"SCOPEGATE_NOPE: there is no such setting",
		"redis.tls: must be true or false (SCOPEGATE_REDIS_TLS)",
		"exports.at_once: must be a whole number in digits, without leading zeros (--set)",
		"--set nope: there is no such setting",
		"--set listen: must be KEY=VALUE",
		"identity.issuers[0].algorithms[0]: \"HS256\" is not one of",
		"identity.issuers[0].companies[3]: must be 1 to 2147483647 (FILE, line 6)",
		"identity.issuers[1].jwks_url: must be an https URL (http only on this machine) (FILE, line 7)",
		"identity.issuers[1].audiences: must name at least one audience (FILE, line 7)",
		"identity.issuers[1].issuer: is named twice (FILE, line 7)",
		"directory.refresh: must be above 0s and at most 10s: a company taken away must be invisible within 15s (FILE, line 3)",
		"cache.fresh: must be 0s to 1m (FILE, line 2)",
		"cache.stale: must not be below cache.fresh",
		"cache.keys[0]: must be 32 bytes in base64; `openssl rand -base64 32` makes one (SCOPEGATE_CACHE_KEYS)",
		"cache.keys[1]: must be 32 bytes in base64; `openssl rand -base64 32` makes one (SCOPEGATE_CACHE_KEYS)",
		"log.level: must be debug, info, warn or error (--set)",
		"exports.per_account: must be at least 1 (--set)",
	)
}

func TestAFileThatCannotBeReadHidesNoFaultOfOtherSources(t *testing.T) {
	others := []string{"redis.db: must be a whole number", "--set nope: there is no such setting"}
	for text, want := range map[string]string{
		"a: [":                                "near line 1: is not YAML",
		"cache:\n\tfresh: 5s\n":               "near line 2: is not YAML: a tab indents",
		"listen: 127.0.0.1:1\n---\na: b\n":    "line 2: holds a second document",
		"listen: 127.0.0.1:1\n---\n":          "line 2: holds a second document",
		"redis: {password: *hidden}\n":        "is not YAML: a value begins with *",
		"redis: {password: %hidden}\n":        "is not YAML",
		"redis: {password: hidden: more}\n":   "is not YAML",
		"hidden":                              "must hold settings as KEY: VALUE",
		"- hidden\n":                          "must hold settings as KEY: VALUE",
		"null":                                "must hold settings as KEY: VALUE",
		"listen: \"\xff\"\n":                  "is not YAML: it must be text in UTF-8",
		strings.Repeat("# hidden\n", 120_000): "larger than 1MiB",
	} {
		s := config.Sources{File: writeFile(t, text), Environ: []string{"SCOPEGATE_REDIS_DB=one"}, Set: []string{"nope=1"}}
		_, err := config.Load(s)
		if err == nil || !strings.Contains(err.Error(), "configuration file "+s.File+": "+want) || strings.Contains(err.Error(), "hidden") ||
			strings.Contains(err.Error(), ": yaml:") || strings.Count(err.Error(), "\n") != 3 {
			t.Errorf("%.20q: error %v", text, err)
			continue
		}
		for _, other := range others {
			if !strings.Contains(err.Error(), other) {
				t.Errorf("%.20q: error lacks %q", text, other)
			}
		}
	}
}

func TestAFileWithoutSettingsIsNoFault(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "---\n# nothing\n...\n", "{}\n", "\ufeff"} {
		if _, err := config.LoadEngine(config.Sources{File: writeFile(t, text)}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAliasesThatMultiplyAreBounded(t *testing.T) {
	many := func(n int, text string) string { return strings.TrimSuffix(strings.Repeat(text+", ", n), ", ") }
	for _, text := range []string{
		"cache: &c {<<: *c}\n",
		"cache: &c {<<: [" + many(9, "*c") + "]}\n",
		"cache:\n  <<: &a [" + many(60, "{}") + "]\nredis:\n  <<: &b [" + many(60, "*a") + "]\nhttp:\n  <<: &c [" + many(60, "*b") + "]\n",
		"identity:\n  issuers:\n    - &i {issuer: a, audiences: [" + many(400, "x") + "]}\n" + strings.Repeat("    - *i\n", 400),
		"redis: {addresses: &a [*a]}\n",
	} {
		if _, err := config.Load(config.Sources{File: writeFile(t, text)}); !errors.Is(err, config.ErrInvalid) {
			t.Errorf("%.60s: error %v", text, err)
		}
	}
}

func TestAuthoritiesOfAConnectionInClearAreAFault(t *testing.T) {
	checkFaults(t, config.Sources{File: writeFile(t, minimal+"redis: {ca_file: ca.pem}\n")},
		"redis.ca_file: is of no use while redis.tls is false (FILE, line 7)")
	checkFaults(t, config.Sources{File: writeFile(t, minimal), Set: []string{
		"engine=elasticsearch", "elasticsearch.addresses=http://es.example:9200", "elasticsearch.ca_file=ca.pem",
	}}, "elasticsearch.ca_file: is of no use")
}

func TestAnAdminListenerThatOthersReachIsWarnedOf(t *testing.T) {
	for address, warned := range map[string]bool{
		"127.0.0.1:9090": false, "127.1.2.3:0": false, "[::1]:9090": false, "localhost:9090": false, "[::ffff:127.0.0.1]:9090": false,
		"0.0.0.0:9090": true, ":9090": true, "[::]:9090": true, "10.0.0.1:9090": true, "gateway.example:9090": true,
	} {
		cfg, err := config.LoadEngine(config.Sources{Set: []string{"admin.listen=" + address}})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(cfg.Warnings()) > 0; got != warned {
			t.Errorf("%s: warned %t, want %t", address, got, warned)
		}
	}
}
