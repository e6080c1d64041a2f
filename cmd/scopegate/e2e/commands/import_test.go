package commands_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/sqlite"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// imports runs `scopegate import` into a data folder.
type imports struct {
	data  string
	stdin io.Reader
}

type imported struct {
	code        int
	out, errOut string
}

func (i imports) run(t *testing.T, args ...string) imported {
	t.Helper()
	return i.runUnder(t.Context(), t, args...)
}

func (i imports) runUnder(ctx context.Context, t *testing.T, args ...string) imported {
	t.Helper()
	var out, errOut bytes.Buffer
	std := cli.Streams{In: i.stdin, Out: &out, Err: &errOut}
	err := cli.Run(ctx, append([]string{"import", "--data", i.data}, args...), nil, std)
	return imported{cli.ExitCode(err, &errOut), out.String(), errOut.String()}
}

func (r imported) want(t *testing.T, code int, says ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d; stderr: %s", r.code, code, r.errOut)
	}
	for _, text := range says {
		if !strings.Contains(r.out+r.errOut, text) {
			t.Errorf("nothing says %q:\n%s%s", text, r.out, r.errOut)
		}
	}
}

func importedSession(id, name string) string {
	return fmt.Sprintf(`{"type":"session","doc":{"id":%q,"companyId":1,"name":%q}}`, id, name) + "\n"
}

// stored lists the ids of company 1's sessions in the folder.
func stored(t *testing.T, data string) []string {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	index, _, _ := session.FieldByName("id")
	result, err := store.Search(t.Context(), tenancytest.Scope(t, 1), search.Query{
		Sort:   search.NormalizeSort([]search.SortKey{{Field: "id"}}),
		Fields: session.FieldSet{}.With(index),
		Limit:  search.MaxLimit,
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, row := range result.Page.Rows {
		ids = append(ids, string(row.JSON))
	}
	return ids
}

func wantStored(t *testing.T, data string, ids ...string) {
	t.Helper()
	want := []string{}
	for _, id := range ids {
		want = append(want, fmt.Sprintf(`{"id":%q}`, id))
	}
	if diff := cmp.Diff(want, stored(t, data)); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func TestImportStoresFilesAndStandardInput(t *testing.T) {
	dir := t.TempDir()
	plain := harness.WriteFile(t, filepath.Join(dir, "a.ndjson"), importedSession("s1", "Ada")+importedSession("s2", "Bob")+
		`{"type":"company","doc":{"id":1,"name":"One"}}`+"\n")
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write([]byte(importedSession("s3", "Eve"))); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	zipped := harness.WriteFile(t, filepath.Join(dir, "b.gz"), packed.String())

	i := imports{data: filepath.Join(dir, "data"), stdin: strings.NewReader(
		`{"type":"session","op":"delete","doc":{"id":"s2"}}` + "\n" + `{"type":"session","op":"delete","doc":{"id":"s9"}}`,
	)}
	r := i.run(t, plain, zipped, "-")
	r.want(t, cli.ExitOK,
		plain+": lines: 3, stored: 3, deleted: 0, to delete but not there: 0, rejected: 0",
		zipped+": lines: 1, stored: 1",
		"standard input: lines: 2, stored: 0, deleted: 1, to delete but not there: 1, rejected: 0")
	if r.errOut != "" {
		t.Errorf("no terminal, but stderr got %q", r.errOut)
	}
	wantStored(t, i.data, "s1", "s3")
	if found, _ := filepath.Glob(filepath.Join(dir, "*.rejects.ndjson")); len(found) > 0 {
		t.Errorf("reject files for nothing: %v", found)
	}
}

func TestImportingAgainChangesNothing(t *testing.T) {
	i := imports{data: t.TempDir()}
	file := harness.WriteFile(t, filepath.Join(t.TempDir(), "a.ndjson"), importedSession("s1", "Ada")+importedSession("s2", "Bob"))
	for range 2 {
		i.run(t, file).want(t, cli.ExitOK, "stored: 2")
		wantStored(t, i.data, "s1", "s2")
	}
}

func TestImportOfBareDocuments(t *testing.T) {
	i := imports{data: t.TempDir(), stdin: strings.NewReader(`{"id":"s1","companyId":1}`)}
	i.run(t, "--type", "session", "-").want(t, cli.ExitOK, "stored: 1")
	wantStored(t, i.data, "s1")
	i.stdin = strings.NewReader(`{"id":1,"name":"One"}`)
	i.run(t, "--type=company", "-").want(t, cli.ExitOK, "stored: 1")
}

func TestImportWritesBadLinesToTheRejectFile(t *testing.T) {
	dir := t.TempDir()
	file := harness.WriteFile(t, filepath.Join(dir, "a.ndjson"), importedSession("s1", "Ada")+"a planted name\n"+importedSession("s2", "Bob"))
	i := imports{data: filepath.Join(dir, "data")}
	r := i.run(t, file)
	rejects := file + ".rejects.ndjson"
	r.want(t, cli.ExitRejected, "rejected: 1", "1 of 3 lines were rejected: see "+rejects)
	wantStored(t, i.data, "s1", "s2")
	if strings.Contains(r.out+r.errOut, "planted") {
		t.Errorf("the line is on the terminal: %s%s", r.out, r.errOut)
	}
	text, err := os.ReadFile(rejects)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), `{"line":2,"reason":"invalid line: not JSON`) || !strings.Contains(string(text), `"text":"a planted name"`) {
		t.Errorf("rejects: %s", text)
	}
	if info, err := os.Stat(rejects); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("rejects are readable by others: %v, %v", info.Mode(), err)
	}
}

func TestImportOfSeveralFilesIntoOneRejectFile(t *testing.T) {
	dir := t.TempDir()
	a := harness.WriteFile(t, filepath.Join(dir, "a.ndjson"), "bad\n")
	b := harness.WriteFile(t, filepath.Join(dir, "b.ndjson"), "\nbad\n")
	rejects := harness.WriteFile(t, filepath.Join(dir, "r.ndjson"), "of an earlier import\n")
	imports{data: filepath.Join(dir, "data")}.run(t, "--rejects", rejects, a, b).want(t, cli.ExitRejected, "2 of 2 lines were rejected: see "+rejects)
	text, err := os.ReadFile(rejects)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"file":%q,"line":1,"reason":"invalid line: not JSON, near byte 0","text":"bad"}`+"\n"+
		`{"file":%q,"line":2,"reason":"invalid line: not JSON, near byte 0","text":"bad"}`+"\n", a, b)
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("rejects (-want +got):\n%s", diff)
	}
}

// Nothing can be put beside what is no regular file.
func TestABadLineOfAPipeOrADeviceStopsNothingAndLeavesNoFileBesideIt(t *testing.T) {
	lines := importedSession("s1", "Ada") + "bad\n" + importedSession("s2", "Bob")
	for name, open := range map[string]func(t *testing.T) (path string){
		"a fifo": func(t *testing.T) string {
			t.Helper()
			path := filepath.Join(t.TempDir(), "fifo")
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
			go func() { _ = os.WriteFile(path, []byte(lines), 0) }() // ends when it has been read
			return path
		},
		"<(…)": func(t *testing.T) string {
			t.Helper()
			from, to, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(to, lines); err != nil {
				t.Fatal(err)
			}
			if err := to.Close(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = from.Close() })
			return fmt.Sprintf("/dev/fd/%d", from.Fd())
		},
		"a file by the name of what is open": func(t *testing.T) string {
			t.Helper()
			file, err := os.Open(harness.WriteFile(t, filepath.Join(t.TempDir(), "a.ndjson"), lines))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = file.Close() })
			return fmt.Sprintf("/proc/self/fd/%d", file.Fd())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			path := open(t)
			i := imports{data: filepath.Join(t.TempDir(), "data")}
			i.run(t, path).want(t, cli.ExitRejected, "stored: 2", "rejected: 1", "1 of 3 lines were rejected: see "+"scopegate-import.rejects.ndjson")
			wantStored(t, i.data, "s1", "s2")
			text, err := os.ReadFile("scopegate-import.rejects.ndjson")
			if err != nil || !strings.Contains(string(text), `"line":2,`) {
				t.Errorf("rejects: %s, %v", text, err)
			}
			if _, err := os.Stat(path + ".rejects.ndjson"); err == nil {
				t.Error("bad lines are beside it")
			}
		})
	}
}

func TestBadLinesOfSeveralStreamsNameTheirInput(t *testing.T) {
	t.Chdir(t.TempDir())
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close() //nolint:errcheck // it is only read
	if _, err := io.WriteString(to, "bad\n"); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/dev/fd/%d", from.Fd())
	imports{data: t.TempDir(), stdin: strings.NewReader("bad\n")}.run(t, path, "-").want(t, cli.ExitRejected, "2 of 2 lines")
	text, err := os.ReadFile("scopegate-import.rejects.ndjson")
	if err != nil || !strings.Contains(string(text), fmt.Sprintf(`{"file":%q,"line":1`, path)) || !strings.Contains(string(text), `{"file":"-","line":1`) {
		t.Errorf("rejects: %s, %v", text, err)
	}
}

func TestAnImportOfAnotherFormatSaysWhichItIs(t *testing.T) {
	dir := t.TempDir()
	i := imports{data: filepath.Join(dir, "data")}
	array := harness.WriteFile(t, filepath.Join(dir, "a.json"), "["+importedSession("s1", "Ada")+"]")
	i.run(t, array).want(t, cli.ExitFailed, array+": not one JSON object a line: this is a JSON array: write one element a line (jq -c '.[]')")
	zip := harness.WriteFile(t, filepath.Join(dir, "a.zip"), "PK\x03\x04\x14\x00")
	i.run(t, zip).want(t, cli.ExitFailed, "this is a zip archive")
	if found, _ := filepath.Glob(filepath.Join(dir, "*.rejects.ndjson")); len(found) > 0 {
		t.Errorf("reject files %v", found)
	}
}

func TestAStrictImportStopsAtABadLine(t *testing.T) {
	dir := t.TempDir()
	file := harness.WriteFile(t, filepath.Join(dir, "a.ndjson"), importedSession("s1", "Ada")+"bad\n"+importedSession("s2", "Bob"))
	next := harness.WriteFile(t, filepath.Join(dir, "b.ndjson"), importedSession("s3", "Eve"))
	i := imports{data: filepath.Join(dir, "data")}
	i.run(t, "--strict", file, next).want(t, cli.ExitFailed, "lines: 2, stored: 1", "stopped by --strict", "line 2")
	wantStored(t, i.data, "s1")
}

func TestAnInterruptedImportSaysSo(t *testing.T) {
	file := harness.WriteFile(t, filepath.Join(t.TempDir(), "a.ndjson"), importedSession("s1", "Ada"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	defer close(ended)
	i := imports{data: t.TempDir(), stdin: io.MultiReader(
		strings.NewReader(importedSession("s2", "Bob")+importedSession("s3", "Eve")),
		readerFunc(func([]byte) (int, error) {
			cancel()
			<-ended // as a terminal would: no more input, and no end
			return 0, io.EOF
		}),
	)}
	r := i.runUnder(ctx, t, "--batch", "1", file, "-")
	r.want(t, cli.ExitFailed, file+": lines: 1, stored: 1", "standard input: interrupted; what is counted is stored")
	var counted int
	_, summary, _ := strings.Cut(r.out, "standard input: ")
	if _, err := fmt.Sscanf(summary, "lines: %d,", &counted); err != nil {
		t.Fatalf("no summary of standard input: %v\n%s", err, r.out)
	}
	wantStored(t, i.data, []string{"s1", "s2", "s3"}[:1+counted]...)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAQuietImportSaysNothing(t *testing.T) {
	file := harness.WriteFile(t, filepath.Join(t.TempDir(), "a.ndjson"), importedSession("s1", "Ada"))
	r := imports{data: t.TempDir()}.run(t, "--quiet", file)
	r.want(t, cli.ExitOK)
	if r.out+r.errOut != "" {
		t.Errorf("it said %q", r.out+r.errOut)
	}
}

func TestAWronglyUsedImportChangesNothing(t *testing.T) {
	dir := t.TempDir()
	file := harness.WriteFile(t, filepath.Join(dir, "a.ndjson"), importedSession("s1", "Ada"))
	for name, tt := range map[string]struct {
		args []string
		says string
	}{
		"no file":              {nil, "file"},
		"a file not there":     {[]string{file, filepath.Join(dir, "none.ndjson")}, "none.ndjson"},
		"a folder":             {[]string{dir}, "is a folder"},
		"a file twice":         {[]string{file, file}, "given twice"},
		"input as reject file": {[]string{"--rejects", file, file}, "would overwrite"},
		"rejects in no folder": {[]string{"--rejects", filepath.Join(dir, "none", "r.ndjson"), file}, "there is no such folder"},
		"input as its rejects": {[]string{file, harness.WriteFile(t, file+".rejects.ndjson", "kept")}, "would overwrite"},
		"unknown type":         {[]string{"--type", "user", file}, "--type"},
		"empty batches":        {[]string{"--batch", "0", file}, "--batch"},
		"unknown flag":         {[]string{"--nope", file}, "--nope"},
	} {
		t.Run(name, func(t *testing.T) {
			i := imports{data: filepath.Join(dir, "data")}
			i.run(t, tt.args...).want(t, cli.ExitUsage, tt.says)
			if _, err := os.Stat(i.data); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the data folder was made: %v", err)
			}
			if text, err := os.ReadFile(file); err != nil || string(text) != importedSession("s1", "Ada") {
				t.Errorf("the input was changed: %q, %v", text, err)
			}
		})
	}
}

func TestImportHelpDocumentsItsExitCodes(t *testing.T) {
	r := imports{data: t.TempDir()}.run(t, "--help")
	r.want(t, cli.ExitOK, "Exit codes:", "--strict", "--rejects", "session|company|grant")
}
