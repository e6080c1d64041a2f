package config_test

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/scopegate/scopegate/config"
)

const minimal = `
identity:
  issuers:
    - issuer: https://iam.example.org
      jwks_url: https://iam.example.org/jwks.json
      audiences: [scopegate]
`

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scopegate.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLaterSourcesOverrideEarlierOnes(t *testing.T) {
	file := minimal + "listen: 127.0.0.1:1\nlog:\n  level: warn\ncache:\n  max_size: 1GiB\n"
	got, err := config.Load(config.Sources{
		File: writeFile(t, file),
		Environ: []string{
			"SCOPEGATE_LISTEN=127.0.0.1:2", "SCOPEGATE_CACHE_FRESH=3s", "PATH=/bin", "SCOPEGATE_TOKEN=of-an-export",
			"SCOPEGATE_IDENTITY_REVOCATIONS=/etc/scopegate/revocations.ndjson",
		},
		Set: []string{"listen=127.0.0.1:3", `http.trusted_proxies=["10.0.0.0/8"]`},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Listen = "127.0.0.1:3"
	want.Log.Level = "warn"
	want.Identity.Revocations = "/etc/scopegate/revocations.ndjson"
	want.Cache.MaxSize, want.Cache.Fresh = 1<<30, 3*time.Second
	want.HTTP.TrustedProxies = []string{"10.0.0.0/8"}
	want.Identity.Issuers = []config.Issuer{{
		Issuer: "https://iam.example.org", JWKSURL: "https://iam.example.org/jwks.json", Audiences: []string{"scopegate"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestIssuersCanComeFromTheEnvironment(t *testing.T) {
	got, err := config.Load(config.Sources{Environ: []string{
		`SCOPEGATE_IDENTITY_ISSUERS=[{"issuer": "a", "jwks_url": "http://127.0.0.1:9/jwks", "audiences": ["x"], "companies": [7]}]`,
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Issuer{{Issuer: "a", JWKSURL: "http://127.0.0.1:9/jwks", Audiences: []string{"x"}, Companies: []uint32{7}}}
	if diff := cmp.Diff(want, got.Identity.Issuers); diff != "" {
		t.Error(diff)
	}
}

func TestEveryFaultIsNamedAtOnce(t *testing.T) {
	tests := map[string]struct {
		sources config.Sources
		file    string
		want    []string
	}{
		"unknown settings of every source": {
			file: minimal + "lisen: x\nsqlite:\n  folder: y\n",
			sources: config.Sources{
				Environ: []string{"SCOPEGATE_LISTN=z"},
				Set:     []string{"nope=1", "listen"},
			},
			want: []string{"lisen: there is no such setting", "sqlite.folder: there is no", "SCOPEGATE_LISTN: there is no", "--set nope: there is no", "--set listen: must be KEY=VALUE"},
		},
		"an unknown key in an issuer": {
			file: strings.Replace(minimal, "jwks_url", "jwks", 1),
			want: []string{"identity.issuers[0].jwks: there is no such setting", "identity.issuers[0].jwks_url: must be"},
		},
		"values out of bounds": {
			file: minimal,
			sources: config.Sources{Set: []string{
				"listen=nowhere", "admin.listen=127.0.0.1:70000", "directory.refresh=10001ms", "directory.max_stale=1s",
				"cache.fresh=2m", "cache.stale=1m", "cache.stale_if_error=11m", "log.level=loud", "http.max_header=1", `cursor.keys=["c2hvcnQ="]`, `http.trusted_proxies=["me"]`, "http.forwarded_header=X-Forwared-For",
			}},
			want: []string{"listen: must be HOST:PORT", "admin.listen: must be", "directory.refresh:", "directory.max_stale:", "cache.fresh:", "cache.stale:", "cache.stale_if_error:", "log.level:", "http.max_header:", "cursor.keys[0]:", "http.trusted_proxies[0]:", "http.forwarded_header: must be X-Forwarded-For, or Forwarded, or X-Real-IP"},
		},
		"no issuer": {
			want: []string{"identity.issuers: must name at least one"},
		},
		"several issuers without company subtrees": {
			file: minimal + "    - {issuer: b, jwks_url: https://b.example/jwks, audiences: [x], companies: [1]}\n",
			want: []string{"identity.issuers[0].companies: must name"},
		},
		"keys fetched in clear": {
			file: strings.Replace(minimal, "https://iam.example.org/jwks.json", "http://iam.example.org/jwks.json", 1),
			want: []string{"identity.issuers[0].jwks_url: must be an https URL"},
		},
		"a symmetric algorithm": {
			file: minimal + "      algorithms: [HS256]\n",
			want: []string{`identity.issuers[0].algorithms[0]: "HS256" is not one of`},
		},
		"a Redis without keys, at no address": {
			file:    minimal,
			sources: config.Sources{Set: []string{`redis.addresses=["nowhere"]`, "redis.db=1", "redis.cluster=true", "redis.budget=2s"}},
			want:    []string{"redis.addresses[0]: must be HOST:PORT", "cache.keys: must hold a key", "redis.db: must be 0", "redis.budget: must be"},
		},
		"no known engine": {
			file:    minimal,
			sources: config.Sources{Set: []string{"engine=mysql"}},
			want:    []string{"engine: must be sqlite or elasticsearch"},
		},
		"an Elasticsearch at no address": {
			file:    minimal,
			sources: config.Sources{Set: []string{"engine=elasticsearch"}},
			want:    []string{"elasticsearch.addresses: must hold at least one URL"},
		},
		"an Elasticsearch that cannot be": {
			file: minimal,
			sources: config.Sources{Set: []string{
				"engine=elasticsearch", `elasticsearch.addresses=["localhost:9200", "https://u:hidden@es.example"]`, "elasticsearch.api_key=k",
				"elasticsearch.username=u", "elasticsearch.index=A*", "elasticsearch.shards=0", "elasticsearch.replicas=-1",
				"elasticsearch.refresh_interval=-1s", "elasticsearch.workers=65",
			}},
			want: []string{
				"elasticsearch.addresses[0]: must be an http or https URL", "elasticsearch.addresses[1]: must hold no credentials",
				"elasticsearch.api_key: must not be given beside", "elasticsearch.index: must have", "elasticsearch.shards: must be 1 to",
				"elasticsearch.replicas: must not be negative", "elasticsearch.refresh_interval:", "elasticsearch.workers: must be 0 to",
			},
		},
		"origins that no browser sends, or all do": {
			file: minimal,
			sources: config.Sources{Set: []string{`http.cors_origins=["*", "https://*.example.org", "null", "https://Console.example.org",
				"https://a.example.org/", "https://b.example.org:443", "ftp://c.example.org", "d.example.org", "https://e.example.org:"]`}},
			want: []string{
				`"*" is not an origin`, `"https://*.example.org" is not`, `"null" is not`, `"https://Console.example.org" is not`,
				`"https://a.example.org/" is not`, `"https://b.example.org:443" is not`, `"ftp://c.example.org" is not`,
				`"d.example.org" is not`, `"https://e.example.org:" is not`,
			},
		},
		"limits, sizes and files that do not fit": {
			file: minimal,
			sources: config.Sources{Set: []string{
				"limits.address.per_minute=-1", "limits.account_loads=1", "limits.engine_loads=3", "limits.queue_wait=0s", "limits.account.burst=0", "limits.company.per_minute=2000000000",
				"http.max_url=512", "tls.cert_file=tls.crt", "audit.file=/var/log/",
			}},
			want: []string{
				"limits.address.per_minute: must be", "limits.account_loads: must be 0 (no limit) or 2 to", "limits.engine_loads: must be 0 (no limit) or 4 to", "limits.queue_wait: must be above 0", "limits.account.burst: must be", "limits.company.per_minute: must be",
				"http.max_url: must be at least", "tls.key_file: must be set together with tls.cert_file",
				"audit.file: must name a file",
			},
		},
		"exports that could not run": {
			file: minimal,
			sources: config.Sources{Set: []string{
				"exports.at_once=0", "exports.per_account=-1", "exports.max_rows=0", "exports.stall_timeout=1ms", "exports.max_duration=0s",
			}},
			want: []string{
				"exports.at_once: must be", "exports.per_account: must be", "exports.max_rows: must be",
				"exports.stall_timeout: must be", "exports.max_duration: must be",
			},
		},
		"a token shorter than any": {
			file:    minimal,
			sources: config.Sources{Set: []string{"identity.max_token=512B"}},
			want:    []string{"identity.max_token: must be at least 1KiB"},
		},
		"a token longer than the header that it comes in": {
			file:    minimal,
			sources: config.Sources{Set: []string{"identity.max_token=24KiB", "http.max_header=20KiB"}},
			want:    []string{"identity.max_token: must be at most http.max_header (20KiB)"},
		},
		"a size that is none": {
			file:    minimal,
			sources: config.Sources{Set: []string{"cache.max_size=lots"}},
			want:    []string{"must be a size"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.file != "" {
				test.sources.File = writeFile(t, test.file)
			}
			_, err := config.Load(test.sources)
			if !errors.Is(err, config.ErrInvalid) {
				t.Fatalf("error = %v, want ErrInvalid", err)
			}
			if strings.Contains(err.Error(), "hidden") {
				t.Errorf("the error shows a password:\n%v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestCommandsOnTheEngineAloneNeedNoIssuer(t *testing.T) {
	cfg, err := config.LoadEngine(config.Sources{Environ: []string{"SCOPEGATE_ENGINE=elasticsearch", "SCOPEGATE_ELASTICSEARCH_ADDRESSES=[https://es.example:9200]"}})
	if err != nil || len(cfg.Elasticsearch.Addresses) != 1 || cfg.Elasticsearch.Replicas != 1 {
		t.Errorf("got %+v, error %v", cfg.Elasticsearch, err)
	}
	for _, wrong := range []string{"engine=elasticsearch", "audit.file=-"} {
		if _, err := config.LoadEngine(config.Sources{Set: []string{wrong}}); !errors.Is(err, config.ErrInvalid) {
			t.Errorf("%s: error %v, want %v", wrong, err, config.ErrInvalid)
		}
	}
}

func TestLimitsCORSAndTLSAreSettings(t *testing.T) {
	got, err := config.Load(config.Sources{
		File:    writeFile(t, minimal+"limits:\n  account: {per_minute: 0}\nhttp:\n  cors_origins: [https://console.example.org, 'http://localhost:5173']\n"),
		Environ: []string{"SCOPEGATE_LIMITS_COMPANY_BURST=7", "SCOPEGATE_TLS_CERT_FILE=tls.crt"},
		Set:     []string{"tls.key_file=tls.key", "http.max_url=2KiB"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Limits.Account.PerMinute, want.Limits.Company.Burst = 0, 7
	want.HTTP.CORSOrigins, want.HTTP.MaxURL = []string{"https://console.example.org", "http://localhost:5173"}, 2<<10
	want.TLS = config.TLS{CertFile: "tls.crt", KeyFile: "tls.key"}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(config.Config{}, "Identity")); diff != "" {
		t.Error(diff)
	}
}

func TestASmallerHeaderNeedsNoOtherSettingOfTokens(t *testing.T) {
	_, err := config.Load(config.Sources{File: writeFile(t, minimal), Set: []string{"http.max_header=4KiB"}})
	if err != nil {
		t.Error(err)
	}
}

func TestAFileOfSettingsMayBeOfAnyEditor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scopegate.yaml")
	text := "\uFEFFlog:\r\n  level: warn\r\n\r\nengine: sqlite\r\nlisten: 127.0.0.1:4"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.LoadEngine(config.Sources{File: path})
	if err != nil || cfg.Log.Level != "warn" || cfg.Listen != "127.0.0.1:4" {
		t.Errorf("level %q, listen %q, %v", cfg.Log.Level, cfg.Listen, err)
	}
}

func TestAMissingFileIsNamed(t *testing.T) {
	_, err := config.Load(config.Sources{File: "/nowhere/scopegate.yaml"})
	if err == nil || !strings.Contains(err.Error(), "/nowhere/scopegate.yaml: no such file") {
		t.Errorf("error = %v", err)
	}
}

func TestThePrintedConfigurationLoadsAgainAndHidesSecrets(t *testing.T) {
	secret := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	cfg, err := config.Load(config.Sources{File: writeFile(t, minimal+"cursor:\n  keys: ["+secret+"]\n")})
	if err != nil {
		t.Fatal(err)
	}
	printed, err := cfg.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(printed), secret) || !strings.Contains(string(printed), "********") {
		t.Errorf("the secret is not masked:\n%s", printed)
	}
	cfg.Cursor.Keys = nil
	if printed, err = cfg.YAML(); err != nil {
		t.Fatal(err)
	}
	again, err := config.Load(config.Sources{File: writeFile(t, string(printed))})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(cfg, again, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestSizesReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]config.Size{"1B": 1, "512B": 512, "1KiB": 1024, "3MiB": 3 << 20, "2GiB": 2 << 30, "1025B": 1025} {
		got, err := config.Load(config.Sources{File: writeFile(t, minimal), Set: []string{"cache.max_size=" + text}})
		if err != nil || got.Cache.MaxSize != want {
			t.Errorf("%s read as %d, %v; want %d", text, got.Cache.MaxSize, err, want)
		}
		if got.Cache.MaxSize.String() != text {
			t.Errorf("%d written as %s, want %s", got.Cache.MaxSize, got.Cache.MaxSize, text)
		}
	}
	got, err := config.Load(config.Sources{File: writeFile(t, minimal+"cache: {max_size: 4096}\n")})
	if err != nil || got.Cache.MaxSize != 4096 {
		t.Errorf("a size without a unit read as %d, %v; want bytes", got.Cache.MaxSize, err)
	}
	for _, text := range []string{"-1", "1TB", "KiB", "1.5KiB", "0x10", "9223372036854775807KiB"} {
		_, err := config.Load(config.Sources{File: writeFile(t, minimal), Set: []string{"cache.max_size=" + text}})
		if err == nil || !strings.Contains(err.Error(), "cache.max_size: must be a size such as") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}
