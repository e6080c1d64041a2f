package export

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/scopegate/scopegate/search"
)

// tempOf makes a Temp that is closed with the test.
func tempOf(tb testing.TB) *Temp {
	tb.Helper()
	return openTemp(tb, tb.TempDir(), 0)
}

func openTemp(tb testing.TB, dir string, mostBytes int64) *Temp {
	tb.Helper()
	temp, err := OpenTemp(dir, mostBytes)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := temp.Close(); err != nil {
			tb.Error(err)
		}
	})
	return temp
}

// namesIn lists the names in a folder.
func namesIn(tb testing.TB, dir string) (names []string) {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// childDir names the folder that a child process of this test uses.
const childDir = "SCOPEGATE_TEST_TEMP_DIR"

// TestAProcessThatIsKilled runs as the child process of the test below.
func TestAProcessThatIsKilled(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		return
	}
	temp, err := OpenTemp(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	place, err := temp.newFolder()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(place.path, "excelize-1"), []byte("rows"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprintln(os.Stdout, "written")
	select {} // until the process is killed
}

func TestWhatAKilledProcessLeavesIsRemovedByTheNextAndALiveOnesStays(t *testing.T) {
	dir := t.TempDir()
	live := openTemp(t, dir, 0)
	if err := os.WriteFile(filepath.Join(live.dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAProcessThatIsKilled$")
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 7)
	if _, err := out.Read(said); err != nil {
		t.Fatal(err)
	}
	openTemp(t, dir, 0) // while the other process lives
	if got := namesIn(t, dir); len(got) != 3 {
		t.Fatalf("beside a live one there are %v", got)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	if got := namesIn(t, dir); len(got) != 3 {
		t.Fatalf("the killed one has left %v: the test is of no use", got)
	}
	foreign := filepath.Join(dir, "scopegate-xlsx-of-somebody-else")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(live.dir, filepath.Join(dir, "scopegate-xlsx-link")); err != nil {
		t.Fatal(err)
	}
	next := openTemp(t, dir, 0)
	for _, path := range []string{filepath.Join(live.dir, "mine"), next.dir, foreign} {
		if !exists(path) {
			t.Errorf("%s is gone", path)
		}
	}
	if got := namesIn(t, dir); len(got) != 5 { // two more of running processes, a foreign one, and the link
		t.Errorf("there are %v", got)
	}
}

func TestARoomThatIsClosedLeavesNothingAndTakesNothing(t *testing.T) {
	dir, fields := t.TempDir(), hardFields(t)
	temp := openTemp(t, dir, 0)
	w, err := New(&bytes.Buffer{}, Options{Format: XLSX, Fields: fields, Temp: temp})
	if err != nil {
		t.Fatal(err)
	}
	row := rowOf(t, fields, map[string]any{"metrics": map[string]any{"a": strings.Repeat("m", 30_000)}})
	for range 800 {
		if err := w.Write([]search.Row{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := temp.Close(); err != nil {
		t.Error(err)
	}
	if err := w.Write([]search.Row{row}); err == nil {
		t.Error("a workbook goes on")
	}
	_ = w.Close()
	if _, err := New(&bytes.Buffer{}, Options{Format: XLSX, Fields: fields, Temp: temp}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a workbook is begun: %v", err)
	}
	if got := namesIn(t, dir); len(got) != 0 {
		t.Errorf("left are %v", got)
	}
}

func TestWorkbooksHaveSoMuchRoomTogether(t *testing.T) {
	fields := hardFields(t)
	row := rowOf(t, fields, map[string]any{"metrics": map[string]any{"a": strings.Repeat("m", 30_000)}})
	temp := openTemp(t, t.TempDir(), 20<<20)
	begin := func() Writer {
		w, err := New(&bytes.Buffer{}, Options{Format: XLSX, Fields: fields, Temp: temp})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.Close() })
		return w
	}
	write := func(w Writer) error {
		for range 800 { // about 24 MB
			if err := w.Write([]search.Row{row}); err != nil {
				return err
			}
		}
		return nil
	}
	first, second := begin(), begin()
	if err := write(first); err != nil {
		t.Fatalf("within the bound: %v", err)
	}
	if err := write(second); !errors.Is(err, ErrTempFull) {
		t.Fatalf("over the bound: %v", err)
	}
	if _, err := New(&bytes.Buffer{}, Options{Format: XLSX, Fields: fields, Temp: temp}); !errors.Is(err, ErrTempFull) {
		t.Errorf("one more is begun: %v", err)
	}
	_ = second.Close()
	_ = first.Close()
	if temp.used != 0 {
		t.Errorf("%d bytes are counted of what is gone", temp.used)
	}
	if err := write(begin()); err != nil {
		t.Errorf("with the room free again: %v", err)
	}
}

func TestAFolderThatCannotBeUsedIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]error{
		filepath.Join(t.TempDir(), "missing"): fs.ErrNotExist,
		file:                                  syscall.ENOTDIR,
	} {
		if _, err := OpenTemp(dir, 0); !errors.Is(err, want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing")
	t.Setenv("TMPDIR", missing)
	if _, err := OpenTemp("", 0); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("the system's: %v", err)
	}
}

func TestADiskThatIsFullIsNoRoom(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT} {
		err := roomError(&os.PathError{Op: "write", Path: "x", Err: errno})
		if !errors.Is(err, ErrTempFull) || !errors.Is(err, errno) {
			t.Errorf("%v: %v", errno, err)
		}
	}
	if err := roomError(fs.ErrPermission); errors.Is(err, ErrTempFull) {
		t.Errorf("%v", err)
	}
}
