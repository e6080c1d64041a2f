package sqlite

import "testing"

func TestADataFolderHasOneIdentityAndNoOtherHasIt(t *testing.T) {
	identityOf := func(dir string) string {
		t.Helper()
		s, err := Open(t.Context(), Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		id, err := s.Identity(t.Context())
		if err != nil || id == "" {
			t.Fatalf("identity %q, %v", id, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		return id
	}
	dir := t.TempDir()
	first := identityOf(dir)
	if again := identityOf(dir); again != first {
		t.Errorf("opened again it is %s, not %s", again, first)
	}
	if identityOf(t.TempDir()) == first {
		t.Error("another folder has the same")
	}
}
