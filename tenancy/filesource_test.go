package tenancy_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/ndjson"
	"github.com/scopegate/scopegate/tenancy"
)

const directoryFile = `{"type":"company","doc":{"id":1,"name":"one"}}

{"type":"company","doc":{"id":2,"name":"two","parentId":1}}
  {"doc":{"issuer":"i","subject":"s","companyId":2},"type":"grant"}
`

func writeFile(t *testing.T, path, text string, changed time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, changed, changed); err != nil {
		t.Fatal(err)
	}
}

func TestAFileIsADirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.ndjson")
	writeFile(t, path, directoryFile, time.Now())
	got, err := tenancy.FileSource(path).Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := tenancy.Records{
		Companies: []tenancy.Company{{ID: 1, Name: "one"}, {ID: 2, Name: "two", ParentID: 1}},
		Grants:    []tenancy.Grant{{Account: tenancy.Account{Issuer: "i", Subject: "s"}, CompanyID: 2}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// As `scopegate import` reads it.
func TestAFileMayBeOfAnyEditor(t *testing.T) {
	dir := t.TempDir()
	directory, revocations := filepath.Join(dir, "directory.ndjson"), filepath.Join(dir, "revocations.ndjson")
	dos := func(text string) string {
		return "\uFEFF" + strings.TrimSuffix(strings.ReplaceAll(text, "\n", "\r\n"), "\r\n")
	}
	writeFile(t, directory, dos(directoryFile), time.Now())
	if got, err := tenancy.FileSource(directory).Load(t.Context()); err != nil || len(got.Companies) != 2 || len(got.Grants) != 1 {
		t.Errorf("directory %+v, %v", got, err)
	}
	writeFile(t, revocations, dos("{\"jti\":\"a\"}\n\n{\"jti\":\"b\"}\n"), time.Now())
	if got, err := tenancy.RevocationsFile(revocations).Load(t.Context()); err != nil || len(got.Tokens) != 2 {
		t.Errorf("revocations %+v, %v", got, err)
	}
	for text, says := range map[string]string{
		"\xff\xfe{\x00": "UTF-16LE", "\n[" + directoryFile + "]": "a JSON array", "\x1f\x8b\x08\x00": "gzip", "PK\x03\x04" + strings.Repeat("x", 100_000): "zip",
	} {
		writeFile(t, directory, text, time.Now())
		if _, err := tenancy.FileSource(directory).Load(t.Context()); !errors.Is(err, ndjson.ErrFormat) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text[:3], err)
		}
		writeFile(t, revocations, text, time.Now())
		if _, err := tenancy.RevocationsFile(revocations).Load(t.Context()); !errors.Is(err, ndjson.ErrFormat) {
			t.Errorf("revocations of %q: %v", text[:3], err)
		}
	}
}

func TestABadLineFailsTheWholeFileAndIsNamed(t *testing.T) {
	for name, line := range map[string]string{
		"no JSON":                 `company 3`,
		"cut":                     `{"type":"company","doc":{"id":3`,
		"a session":               `{"type":"session","doc":{}}`,
		"no type":                 `{"doc":{"id":3,"name":"x"}}`,
		"no doc":                  `{"type":"company"}`,
		"an invalid company":      `{"type":"company","doc":{"id":0,"name":"x"}}`,
		"an invalid grant":        `{"type":"grant","doc":{"issuer":"i"}}`,
		"a delete":                `{"type":"company","op":"delete","doc":{"id":1,"name":"x"}}`,
		"two records in one line": `{"type":"company","doc":{"id":3,"name":"x"}}{"type":"company","doc":{"id":4,"name":"x"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "directory.ndjson")
			writeFile(t, path, directoryFile+line+"\n", time.Now())
			got, err := tenancy.FileSource(path).Load(context.Background())
			if !errors.Is(err, tenancy.ErrInvalidRecord) || !strings.Contains(err.Error(), "line 5") {
				t.Errorf("got %v, want ErrInvalidRecord of line 5", err)
			}
			if len(got.Companies)+len(got.Grants) > 0 {
				t.Error("part of a bad file was taken")
			}
		})
	}
}

func TestALineWithoutEndIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.ndjson")
	writeFile(t, path, directoryFile+strings.Repeat("x", 1<<20), time.Now())
	if _, err := tenancy.FileSource(path).Load(context.Background()); err == nil || !strings.Contains(err.Error(), "line 5") {
		t.Errorf("got %v, want an error of line 5", err)
	}
}

func TestAFileThatIsNotThereIsAnError(t *testing.T) {
	source := tenancy.FileSource(filepath.Join(t.TempDir(), "none"))
	_, errLoad := source.Load(context.Background())
	_, errVersion := source.Version(context.Background())
	if !errors.Is(errLoad, fs.ErrNotExist) || !errors.Is(errVersion, fs.ErrNotExist) {
		t.Errorf("got %v and %v", errLoad, errVersion)
	}
}

func TestLoadingAFileStopsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.ndjson")
	writeFile(t, path, directoryFile, time.Now())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := tenancy.FileSource(path).Load(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestTheVersionOfAFileChangesWithIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.ndjson")
	source := tenancy.FileSource(path)
	long, now := time.Now().Add(-time.Hour), time.Now()
	version := func(text string, changed time.Time) string {
		t.Helper()
		writeFile(t, path, text, changed)
		v, err := source.Version(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	steady := version("aaaa", long)
	for name, other := range map[string]string{
		"another size":                          version("aaaaa", long),
		"another time":                          version("aaaa", long.Add(time.Nanosecond)),
		"the same size and time, but just now ": version("bbbb", now),
	} {
		if other == steady {
			t.Errorf("%s: the version is the same", name)
		}
	}
	if version("aaaa", long) != steady {
		t.Error("the same file has another version")
	}
	if version("aaaa", now) == version("bbbb", now) {
		t.Error("a second change within one tick of the file system does not show")
	}
}
