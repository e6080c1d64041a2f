package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/audit"
)

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.FixedZone("", 3600)) }

func open(t *testing.T, path string) *audit.Log {
	t.Helper()
	log, err := audit.Open(audit.Options{Path: path, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

func write(t *testing.T, log *audit.Log, actions ...string) {
	t.Helper()
	for _, action := range actions {
		if err := log.Write(t.Context(), audit.Event{Action: action}); err != nil {
			t.Fatal(err)
		}
	}
}

// actions returns the actions in the file's lines, each of which must be complete.
func actions(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		var e struct{ Action string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		found = append(found, e.Action)
	}
	return found
}

func TestAnEventIsOneLineWithItsDetailsBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what was done is recorded all the same
	err := open(t, path).Write(ctx, audit.Event{
		Action: "company.move", Actor: "o\nps", Outcome: audit.Done,
		Details: []slog.Attr{slog.Int("company", 7), slog.Any("new_parent", nil), slog.String("subject", `a"b`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"time":"2026-03-01T11:00:00.005Z","action":"company.move","actor":"o\nps","outcome":"done",` +
		`"company":7,"new_parent":null,"subject":"a\"b"}` + "\n"
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
}

func TestAnExistingLogIsAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	for _, action := range []string{"one", "two"} {
		log := open(t, path)
		write(t, log, action)
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		if err := log.Write(t.Context(), audit.Event{}); !errors.Is(err, os.ErrClosed) {
			t.Errorf("a write after the end: %v", err)
		}
	}
	if diff := cmp.Diff([]string{"one", "two"}, actions(t, path)); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
}

func TestARotatedFileIsFollowed(t *testing.T) {
	for name, rotate := range map[string]func(path string) error{
		"renamed": func(path string) error { return os.Rename(path, path+".1") },
		"renamed, a new made": func(path string) error {
			return errors.Join(os.Rename(path, path+".1"), os.WriteFile(path, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			log := open(t, path)
			write(t, log, "one", "two")
			if err := rotate(path); err != nil {
				t.Fatal(err)
			}
			write(t, log, "three", "four")
			if diff := cmp.Diff([]string{"one", "two"}, actions(t, path+".1")); diff != "" {
				t.Errorf("before (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"three", "four"}, actions(t, path)); diff != "" {
				t.Errorf("after (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("cut to nothing", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "audit.log")
		log := open(t, path)
		write(t, log, "one")
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		write(t, log, "two")
		if diff := cmp.Diff([]string{"two"}, actions(t, path)); diff != "" {
			t.Errorf("actions (-want +got):\n%s", diff)
		}
	})
}

func TestLinesOfManyWritersStayWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	var writers sync.WaitGroup
	for range 2 { // like two processes
		log := open(t, path)
		for range 4 {
			writers.Go(func() {
				for range 25 {
					if err := log.Write(t.Context(), audit.Event{Action: strings.Repeat("a", 300)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	writers.Wait()
	if n := len(actions(t, path)); n != 200 {
		t.Errorf("%d lines, want 200", n)
	}
}

// tearing writes only half of the first line.
type tearing struct {
	bytes.Buffer
	torn bool
}

var errFull = errors.New("full")

func (w *tearing) Write(p []byte) (int, error) {
	if w.torn {
		return w.Buffer.Write(p)
	}
	w.torn = true
	n, _ := w.Buffer.Write(p[:len(p)/2])
	return n, errFull
}

func TestALineThatWasCutOffDoesNotSpoilTheNext(t *testing.T) {
	var to tearing
	log, err := audit.Open(audit.Options{Writer: &to})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Write(t.Context(), audit.Event{Action: "one"}); !errors.Is(err, errFull) {
		t.Errorf("error %v, want %v", err, errFull)
	}
	write(t, log, "two", "three")
	lines := strings.Split(strings.TrimSuffix(to.String(), "\n"), "\n")
	if len(lines) != 3 || !json.Valid([]byte(lines[1])) || !json.Valid([]byte(lines[2])) {
		t.Errorf("lines %q", lines)
	}
}

func TestAFileThatCannotBeWrittenIsKnownBeforeAnythingIsDone(t *testing.T) {
	dir := t.TempDir()
	if _, err := audit.Open(audit.Options{Path: filepath.Join(dir, "none", "audit.log")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if _, err := audit.Open(audit.Options{Path: dir}); err == nil {
		t.Error("a folder was opened")
	}
	if _, err := audit.Open(audit.Options{}); err == nil {
		t.Error("no place to write to was opened")
	}
}

func TestWhateverAnEventHoldsItIsOneLineOfJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var to bytes.Buffer
		log, err := audit.Open(audit.Options{Writer: &to})
		if err != nil {
			t.Fatal(err)
		}
		subject := rapid.String().Draw(t, "subject")
		e := audit.Event{Action: rapid.String().Draw(t, "action"), Actor: rapid.String().Draw(t, "actor"), Details: []slog.Attr{slog.String("subject", subject)}}
		if err := log.Write(context.Background(), e, e); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(to.String(), "\n"); n != 2 {
			t.Fatalf("%d lines: %s", n, to.String())
		}
		var got struct{ Action, Actor, Subject string }
		line, _, _ := strings.Cut(to.String(), "\n")
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprint([]string{e.Action, e.Actor, subject}); fmt.Sprint([]string{got.Action, got.Actor, got.Subject}) != want {
			t.Fatalf("read %+v, want %s", got, want)
		}
	})
}
