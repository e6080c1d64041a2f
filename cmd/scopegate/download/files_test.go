package download

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// folderOf is what the folder of a file holds: names, and content or where links
// lead to.
func folderOf(t *testing.T, path string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, entry := range entries {
		name := filepath.Join(filepath.Dir(path), entry.Name())
		switch {
		case entry.Type()&os.ModeSymlink != 0:
			to, err := os.Readlink(name)
			if err != nil {
				t.Fatal(err)
			}
			found[entry.Name()] = "-> " + to
		case entry.Type().IsRegular():
			found[entry.Name()] = content(t, name)
		default:
			found[entry.Name()] = entry.Type().String()
		}
	}
	return found
}

func checkFolder(t *testing.T, path string, want map[string]string) {
	t.Helper()
	if diff := gocmp.Diff(want, folderOf(t, path)); diff != "" {
		t.Errorf("the folder has changed:\n%s", diff)
	}
}

// incompletePart is a part whose last row is incomplete: going on with it would cut that.
const incompletePart = "id,name\r\na,\r\nb,\r\nc"

// TestAResumptionThatIsRefusedLeavesEveryFileAsItWas, byte for byte, whoever
// refuses it.
func TestAResumptionThatIsRefusedLeavesEveryFileAsItWas(t *testing.T) {
	write := func(t *testing.T, path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		set  func(t *testing.T, g *fakeGateway, o *Options)
		says string
	}{
		"the query is another": {func(_ *testing.T, _ *fakeGateway, o *Options) { o.Query["name"] = "x" }, "other filters"},
		"the note is of an older version": {func(t *testing.T, _ *fakeGateway, o *Options) {
			t.Helper()
			digest, _ := o.Query.digest()
			write(t, noteOf(o.Path), `{"question":"`+digest+`","snapshots":1}`)
		}, "older version"},
		"the note is broken":       {func(t *testing.T, _ *fakeGateway, o *Options) { t.Helper(); write(t, noteOf(o.Path), "{") }, "broken"},
		"the note has no snapshot": {func(t *testing.T, _ *fakeGateway, o *Options) { t.Helper(); write(t, noteOf(o.Path), "{}") }, "broken"},
		"ids are not in order": {func(t *testing.T, _ *fakeGateway, o *Options) {
			t.Helper()
			write(t, partOf(o.Path), "id\r\nb\r\na\r\nc")
		}, "not in the order"},
		"a row is none": {func(t *testing.T, _ *fakeGateway, o *Options) {
			t.Helper()
			write(t, partOf(o.Path), "id,name\r\na,\r\n<html>\r\nc")
		}, "2 cells"},
		"the file is there": {func(t *testing.T, _ *fakeGateway, o *Options) { t.Helper(); write(t, o.Path, "mine") }, "--force overwrites it"},
		"the lock is somebody's file": {func(t *testing.T, _ *fakeGateway, o *Options) {
			t.Helper()
			write(t, lockOf(o.Path), "mine")
		}, "is no lock"},
		"the gateway refuses": {func(_ *testing.T, g *fakeGateway, _ *Options) {
			g.first = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }
		}, "403"},
		"the answer is no export": {func(_ *testing.T, g *fakeGateway, _ *Options) {
			g.header = func(h http.Header) { h.Set("Content-Type", "text/html") }
		}, "no export"},
		"the answer has a coding": {func(_ *testing.T, g *fakeGateway, _ *Options) {
			g.header = func(h http.Header) { h.Set("Content-Encoding", "br") }
		}, "Content-Encoding: br"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newFake(t, hardRows()...)
			o := options(t, "CSV")
			plantPart(t, g, o, []byte(incompletePart))
			test.set(t, g, &o)
			before := folderOf(t, o.Path)
			o.Resume = true
			if _, err := g.client(t).Fetch(t.Context(), o); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want one that says %q", err, test.says)
			}
			checkFolder(t, o.Path, before)
		})
	}
}

// TestNoLinkIsWrittenThrough, in place of any file of the command's own.
func TestNoLinkIsWrittenThrough(t *testing.T) {
	owns := map[string]func(string) string{"part": partOf, "note": noteOf, "next note": nextNoteOf, "lock": lockOf}
	links := map[string]func(from, to string) error{
		"symbolic link": os.Symlink, "hard link": os.Link,
		"dangling link": func(_, to string) error { return os.Symlink(to+".nowhere", to) },
		"folder":        func(_, to string) error { return os.Mkdir(to, 0o700) },
	}
	for own, nameOf := range owns {
		for kind, link := range links {
			t.Run(kind+" as "+own, func(t *testing.T) {
				g := newFake(t, hardRows()...)
				o := options(t, "CSV")
				plantPart(t, g, o, []byte(incompletePart))
				precious := filepath.Join(filepath.Dir(o.Path), "precious")
				for _, path := range []string{precious, nameOf(o.Path)} {
					text := "precious"
					if old := content(t, nameOf(o.Path)); old != "(none)" {
						text = old // it fits, also through the link
					}
					if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if err := errors.Join(os.Remove(nameOf(o.Path)), link(precious, nameOf(o.Path))); err != nil {
					t.Fatal(err)
				}
				before := folderOf(t, o.Path)
				for _, way := range []Options{{Resume: true}, {Force: true}, {Resume: true, Force: true}} {
					o.Resume, o.Force = way.Resume, way.Force
					if _, err := g.client(t).Fetch(t.Context(), o); !errors.Is(err, ErrExists) {
						t.Errorf("resume %t, force %t: %v", o.Resume, o.Force, err)
					}
					checkFolder(t, o.Path, before)
				}
				if len(g.asked) > 0 {
					t.Errorf("asked %v", g.asked)
				}
			})
		}
	}
}

// TestAFileThatIsOverwrittenKeepsWhatItHasUnderItsOtherName: it is replaced, not
// written to; and a symbolic link in its place is refused.
func TestAFileThatIsOverwrittenKeepsWhatItHasUnderItsOtherName(t *testing.T) {
	for kind, link := range map[string]func(string, string) error{"hard link": os.Link, "symbolic link": os.Symlink} {
		t.Run(kind, func(t *testing.T) {
			g := newFake(t, hardRows()...)
			o := options(t, "CSV")
			o.Force = true
			precious := filepath.Join(filepath.Dir(o.Path), "precious")
			if err := errors.Join(os.WriteFile(precious, []byte("precious"), 0o600), link(precious, o.Path)); err != nil {
				t.Fatal(err)
			}
			_, err := g.client(t).Fetch(t.Context(), o)
			if refused := errors.Is(err, ErrExists); refused != (kind == "symbolic link") {
				t.Error(err)
			}
			if got := content(t, precious); got != "precious" {
				t.Errorf("it holds %q", got)
			}
		})
	}
}

// TestAPartThatIsOverwrittenStaysUntilThereIsAnAnswer.
func TestAPartThatIsOverwrittenStaysUntilThereIsAnAnswer(t *testing.T) {
	g := newFake(t, hardRows()...)
	o := options(t, "CSV")
	plantPart(t, g, o, []byte(incompletePart))
	before := folderOf(t, o.Path)
	o.Force = true
	g.first = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	if _, err := g.client(t).Fetch(t.Context(), o); !errors.As(err, new(*AnswerError)) {
		t.Error(err)
	}
	checkFolder(t, o.Path, before)
	if _, err := g.client(t).Fetch(t.Context(), o); err != nil {
		t.Error(err)
	}
	checkNothingElse(t, o.Path)
}

// TestFilesThatCannotBeMadeAreReportedBeforeAnythingIsRequested: names of any length
// either do for all files, or fail at once and leave nothing.
func TestFilesThatCannotBeMadeAreReportedBeforeAnythingIsRequested(t *testing.T) {
	g := newFake(t, hardRows()...)
	const longest = 255 // of a name in most file systems
	for length := longest - 20; length <= longest+5; length++ {
		o := options(t, "CSV")
		o.Path = filepath.Join(filepath.Dir(o.Path), strings.Repeat("a", length))
		g.change(func(g *fakeGateway) { g.asked = nil })
		_, err := g.client(t).Fetch(t.Context(), o)
		asked := len(g.asked)
		switch {
		case err == nil && content(t, o.Path) == "(none)":
			t.Errorf("%d characters: there is no file", length)
		case err != nil && asked > 0:
			t.Errorf("%d characters: asked before %v", length, err)
		case err != nil && len(folderOf(t, o.Path)) > 0:
			t.Errorf("%d characters: left %v", length, folderOf(t, o.Path))
		case (err == nil) != (length+len(nextNoteOf("")) <= longest):
			t.Errorf("%d characters: %v", length, err)
		}
	}
	o := options(t, "CSV")
	o.Path = filepath.Join(filepath.Dir(o.Path), "nowhere", "file")
	g.change(func(g *fakeGateway) { g.asked = nil })
	if _, err := g.client(t).Fetch(t.Context(), o); !errors.Is(err, os.ErrNotExist) || len(g.asked) > 0 {
		t.Errorf("%v, asked %v", err, g.asked)
	}
}

// TestAProcessThatIsKilledWhileItWaitsIsInNobodysWay: what it has made by then
// holds nothing.
func TestAProcessThatIsKilledWhileItWaitsIsInNobodysWay(t *testing.T) {
	for name, resume := range map[string]bool{"anew": false, "resumed": true} {
		t.Run(name, func(t *testing.T) {
			g := newFake(t, hardRows()...)
			o := options(t, "CSV")
			plantPart(t, g, o, nil)
			if err := os.WriteFile(nextNoteOf(o.Path), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
			o.Resume = resume
			if r, err := g.client(t).Fetch(t.Context(), o); err != nil || r.Rows != 4 || r.Snapshots != 1 {
				t.Errorf("%+v, %v", r, err)
			}
			checkNothingElse(t, o.Path)
		})
	}
}

func TestAnExportWithoutAnAnswerLeavesNothing(t *testing.T) {
	g := newFake(t, hardRows()...)
	o := options(t, "CSV")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.client(t).Fetch(gone, o); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	checkFolder(t, o.Path, map[string]string{})
}
