package download

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestAFileIsFetchedByOneAtATime(t *testing.T) {
	g := newFake(t, hardRows()...)
	client := g.client(t)
	whole, _ := g.file("CSV", g.rows)
	o := options(t, "CSV")
	others := 0
	o.Progress = func(Progress) { // while it comes
		for _, meanwhile := range []Options{{}, {Resume: true}, {Force: true}, {Resume: true, Force: true}} {
			other := o
			other.Progress, other.Resume, other.Force = nil, meanwhile.Resume, meanwhile.Force
			if _, err := client.Fetch(t.Context(), other); !errors.Is(err, ErrBusy) {
				t.Errorf("resume %t, force %t: %v", other.Resume, other.Force, err)
			}
			others++
		}
	}
	if _, err := client.Fetch(t.Context(), o); err != nil || others == 0 {
		t.Fatalf("%v, beside %d others", err, others)
	}
	if got := content(t, o.Path); got != string(whole) {
		t.Errorf("the file: %q", got)
	}
	checkNothingElse(t, o.Path)
	o.Progress, o.Force = nil, true
	if _, err := client.Fetch(t.Context(), o); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestALockIsLetGoOfByAProcessThatIsKilled: it stays behind as a file.
func TestALockIsLetGoOfByAProcessThatIsKilled(t *testing.T) {
	const holds, name = "SCOPEGATE_TEST_HOLDS", "file"
	if os.Getenv(holds) != "" { // the other process, in the folder of the file
		l, err := acquire(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = os.Stdout.WriteString("held\n")
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the other process, if that ends first
		_ = l.release()
		return
	}
	folder := t.TempDir()
	path := filepath.Join(folder, name)
	holder := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$") // #nosec G204 -- this test
	holder.Dir, holder.Env = folder, append(os.Environ(), holds+"=yes")
	said, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("held\n"))
	if _, err := said.Read(line); err != nil || string(line) != "held\n" {
		t.Errorf("the other process: %q, %v", line, err)
	}
	if _, err := acquire(path); !errors.Is(err, ErrBusy) {
		t.Errorf("while it is held: %v", err)
	}
	_ = holder.Process.Kill()
	_ = holder.Wait()
	if _, err := os.Stat(lockOf(path)); err != nil {
		t.Errorf("the file of the lock: %v", err)
	}
	l, err := acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.release(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(lockOf(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after its release: %v", err)
	}
}
