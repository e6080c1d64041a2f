//go:build unix

package plainfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestNothingIsWrittenThroughASymbolicLink(t *testing.T) {
	folder := t.TempDir()
	precious := filepath.Join(folder, "precious")
	if err := os.WriteFile(precious, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"to a file": precious, "to nothing": filepath.Join(folder, "made")} {
		link := filepath.Join(folder, name)
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		for _, flag := range []int{os.O_TRUNC, os.O_APPEND} {
			file, err := Open(link, os.O_WRONLY|os.O_CREATE|flag, 0o600)
			if !errors.Is(err, ErrLink) {
				t.Errorf("a link %s: %v", name, err)
			}
			if err == nil {
				_ = file.Close()
			}
		}
	}
	if text, err := os.ReadFile(precious); err != nil || string(text) != "kept" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(folder, "made")); err == nil {
		t.Error("a file was made where the link led")
	}
}

func TestAFileAFolderThatIsALinkAndADeviceAreWritten(t *testing.T) {
	folder := t.TempDir()
	if err := os.Symlink(folder, folder+"-link"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(folder, "new"), filepath.Join(folder, "new"), filepath.Join(folder+"-link", "other"), "/dev/null"} {
		file, err := Open(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}
