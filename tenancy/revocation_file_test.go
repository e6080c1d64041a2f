package tenancy_test

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/tenancy"
)

func TestAFileHoldsRevocations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "revocations.ndjson")
	writeFile(t, path, `{"jti":"a","until":"2026-03-01T10:00:00Z"}

 {"issuer":"i","jti":"b"}
{"issuer":"i","subject":"s","before":"2026-03-01T12:00:00.5+02:00"}
`, time.Now())
	got, err := tenancy.RevocationsFile(path).Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, time.March, 1, 10, 0, 0, 0, time.UTC)
	want := tenancy.Revoked{
		Tokens:   []tenancy.RevokedToken{{ID: "a", Until: noon}, {ID: "b", Issuer: "i"}},
		Accounts: []tenancy.RevokedAccount{{tenancy.Account{Issuer: "i", Subject: "s"}, noon.Add(500 * time.Millisecond)}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("revocations (-want +got):\n%s", diff)
	}
}

func TestABadRevocationFailsTheWholeFileAndIsNamed(t *testing.T) {
	for name, line := range map[string]string{
		"no JSON":                  `planted`,
		"cut":                      `{"jti":"planted"`,
		"nothing":                  `{}`,
		"null":                     `null`,
		"an empty jti":             `{"jti":""}`,
		"a jti that is a number":   `{"jti":1}`,
		"a jti and a subject":      `{"jti":"planted","issuer":"i","subject":"s"}`,
		"a jti and an instant":     `{"jti":"planted","before":"2026-03-01T10:00:00Z"}`,
		"a subject alone":          `{"subject":"planted","before":"2026-03-01T10:00:00Z"}`,
		"an account for ever":      `{"issuer":"i","subject":"planted"}`,
		"an empty subject":         `{"issuer":"i","subject":"","before":"2026-03-01T10:00:00Z"}`,
		"an empty issuer":          `{"issuer":"","jti":"planted"}`,
		"until with an account":    `{"issuer":"i","subject":"s","before":"2026-03-01T10:00:00Z","until":"2026-03-01T10:00:00Z"}`,
		"an instant without zone":  `{"issuer":"i","subject":"s","before":"2026-03-01T10:00:00"}`,
		"an instant as a number":   `{"issuer":"i","subject":"s","before":1772359200}`,
		"an unknown key":           `{"jti":"a","reason":"planted"}`,
		"a key twice":              `{"jti":"a","jti":"planted"}`,
		"a key in another case":    `{"JTI":"planted"}`,
		"two records in one line":  `{"jti":"a"}{"jti":"planted"}`,
		"a line longer than 64 Ki": `{"jti":"` + strings.Repeat("planted", 10_000) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "revocations.ndjson")
			writeFile(t, path, "{\"jti\":\"good\"}\n"+line+"\n", time.Now())
			got, err := tenancy.RevocationsFile(path).Load(context.Background())
			if err == nil || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), "planted") {
				t.Errorf("got %v, want an error of line 2 that quotes nothing", err)
			}
			if len(got.Tokens)+len(got.Accounts) > 0 {
				t.Errorf("part of the file was taken: %+v", got)
			}
		})
	}
}

func TestARevocationsFileThatIsNotThereIsAnError(t *testing.T) {
	source := tenancy.RevocationsFile(filepath.Join(t.TempDir(), "none"))
	_, loadErr := source.Load(context.Background())
	_, versionErr := source.Version(context.Background())
	if !errors.Is(loadErr, fs.ErrNotExist) || !errors.Is(versionErr, fs.ErrNotExist) {
		t.Errorf("got %v and %v, want fs.ErrNotExist", loadErr, versionErr)
	}
}

// FuzzRevocations: whatever a file holds, it is taken whole or not at all, and
// what is taken means a token or an account.
func FuzzRevocations(f *testing.F) {
	f.Add(`{"jti":"a","until":"2026-03-01T10:00:00Z"}`)
	f.Add(`{"issuer":"i","subject":"s","before":"2026-03-01T10:00:00Z"}`)
	f.Add("{}\n{\"jti\":\"a\"}")
	path := filepath.Join(f.TempDir(), "revocations.ndjson")
	f.Fuzz(func(t *testing.T, text string) {
		writeFile(t, path, text, time.Now())
		all, err := tenancy.RevocationsFile(path).Load(context.Background())
		if err != nil && len(all.Tokens)+len(all.Accounts) > 0 {
			t.Error("part of a bad file was taken")
		}
		for _, token := range all.Tokens {
			if token.ID == "" {
				t.Error("a revocation of no token was taken")
			}
		}
		for _, account := range all.Accounts {
			if account.Account.Issuer == "" || account.Account.Subject == "" {
				t.Error("a revocation of no account was taken")
			}
		}
	})
}
