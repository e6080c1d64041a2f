package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/scopegate/scopegate/config"
)

// For any content of a file, a variable and a flag, Load returns a configuration or
// a list of faults with one line each, and the resulting configuration can be
// printed and loaded again.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(minimal), "5s", "[a, b]")
	f.Add([]byte(everyText("0123456")), "", "")
	f.Add([]byte("cache: &c {<<: [*c, *c]}\nredis: {addresses: &a [*a, *a]}\n"), "[[", "{")
	f.Add([]byte("a: 1\n---\nb: 2\n"), "[a: b]", "[&x a, *x]")
	f.Add([]byte("? [a]\n: !!binary b\n\"<<\": 1\n"), "\x00", "[!!str 7]")
	path := filepath.Join(f.TempDir(), "settings")
	f.Fuzz(func(t *testing.T, file []byte, variable, flag string) {
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := config.Load(config.Sources{
			File:    path,
			Environ: []string{"SCOPEGATE_IDENTITY_ISSUERS=" + variable, "SCOPEGATE_REDIS_PASSWORD=" + variable, "SCOPEGATE_CACHE_FRESH=" + variable},
			Set:     []string{"http.trusted_proxies=" + flag, "sqlite.dir=" + flag, "exports.max_rows=" + flag},
		})
		if err != nil {
			if !errors.Is(err, config.ErrInvalid) || strings.Contains(err.Error(), "yaml:") {
				t.Errorf("error %v", err)
			}
			return
		}
		printed, err := withoutSecrets(got).YAML()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, printed, 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := config.Load(config.Sources{File: path})
		if err != nil {
			t.Fatalf("%v\n%s", err, printed)
		}
		if diff := cmp.Diff(withoutSecrets(got), again, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

func withoutSecrets(c config.Config) config.Config {
	c.Elasticsearch.Password, c.Elasticsearch.APIKey = "", ""
	c.Redis.Addresses, c.Redis.Password, c.Redis.SentinelPassword = nil, "", ""
	c.Cache.Keys, c.Cursor.Keys = nil, nil
	return c
}
