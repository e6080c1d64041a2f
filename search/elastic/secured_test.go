package elastic

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// roles are the privileges of docs/operations.md, on <index>-*.
const roles = `
searcher:
  indices:
  - names: ["secured-*"]
    privileges: [read, view_index_metadata, monitor, maintenance]
importer:
  indices:
  - names: ["secured-*"]
    privileges: [read, view_index_metadata, monitor, maintenance, write]
manager:
  cluster: [monitor]
  indices:
  - names: ["secured-*"]
    privileges: [read, view_index_metadata, monitor, maintenance, write, manage]
`

// startSecured starts an Elasticsearch of the test's own with a user for each role,
// whose name is that of the role.
func startSecured(t *testing.T, password string) (url string) {
	t.Helper()
	_ = address(t) // where there are no services, there is no program either

	dir, err := os.MkdirTemp("", "scopegate-secured-*") //nolint:usetesting // the node runs as another user, who may not enter the folder of a test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	var users, usersRoles strings.Builder
	for _, name := range []string{"searcher", "importer", "manager"} {
		fmt.Fprintf(&users, "%s:%s\n", name, hash)
		fmt.Fprintf(&usersRoles, "%s:%s\n", name, name)
	}
	for name, text := range map[string]string{"users": users.String(), "users_roles": usersRoles.String(), "roles.yml": roles} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log strings.Builder
	node := exec.Command("../../deploy/services/elasticsearch-secured", dir)
	node.Stdout, node.Stderr = &log, &log
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = node.Wait() // it was told to end, or its log says why it did
	}()
	t.Cleanup(func() {
		_ = node.Process.Signal(syscall.SIGTERM)
		<-ended
	})
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		select {
		case <-ended:
			t.Fatalf("it ended:\n%s", log.String())
		default:
		}
		port, err := os.ReadFile(filepath.Join(dir, "port")) // #nosec G304 -- its own folder
		if err != nil {
			continue
		}
		url = "http://127.0.0.1:" + strings.TrimSpace(string(port))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/_cluster/health?wait_for_status=yellow&timeout=1s", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("manager", password)
		if res, err := client.Do(r); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return url
			}
		}
	}
	t.Fatal("it does not start")
	return ""
}

// A gateway that may only search needs no other right, before a migration, during and
// after it, and whichever version it has.
func TestSearchingNeedsNoRightToWriteWhateverAMigrationDoes(t *testing.T) {
	const password = "only-for-this-test"
	url := startSecured(t, password)
	as := func(user string) *Store {
		s, err := Open(t.Context(), Options{Addresses: []string{url}, Index: "secured", Username: user, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	old, next, importer, manager := as("searcher"), nextOf(as("searcher")), nextOf(as("importer")), nextOf(as("manager"))
	if _, err := as("manager").Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	scope := tenancytest.Scope(t, 1)
	sessions := int64(0)
	wantSearched := func(when string, all ...*Store) {
		t.Helper()
		sessions++
		write(t, importer, newSession(t, fmt.Sprint("s-", sessions), 1, nil))
		if _, err := importer.Write(t.Context(), []session.Change{{Kind: session.KindCompany, Company: tenancy.Company{ID: 1, Name: when}}}); err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			s.fits.known.Store(nil)
			found, err := s.Search(t.Context(), scope, search.Query{Limit: 1})
			if err != nil || found.Count.Total != sessions {
				t.Errorf("%s, schema %d: %d sessions, want %d; error %v", when, s.steps.Newest().Schema, found.Count.Total, sessions, err)
			}
			if n := len(exported(t, s, whole(), 1)); int64(n) != sessions {
				t.Errorf("%s: a snapshot of %d", when, n)
			}
			records, err := s.Load(t.Context())
			if err != nil || len(records.Companies) != 1 || records.Companies[0].Name != when {
				t.Errorf("%s: %+v, error %v", when, records, err)
			}
			_, identity := s.Identity(t.Context())
			_, version := s.SearchableVersion(t.Context())
			_, written := s.Version(t.Context())
			_, faulty := s.Faulty(t.Context())
			if err := errors.Join(s.Ping(t.Context()), identity, version, written, faulty); err != nil {
				t.Errorf("%s: %v", when, err)
			}
			if _, err := s.Write(t.Context(), upserts(newSession(t, "no", 1, nil))); err == nil {
				t.Errorf("%s: it may write", when)
			}
		}
	}
	wantSearched("before", old, next)
	l, err := manager.locate(t.Context())
	if err == nil {
		_, err = manager.beginMigration(t.Context(), l)
	}
	if err != nil {
		t.Fatal(err)
	}
	importer.fits.known.Store(nil)
	wantSearched("begun", old, next)
	if _, err := next.Migrate(t.Context(), MigrateOptions{}); err == nil {
		t.Error("a searcher migrates")
	}
	mustMigrate(t, manager, MigrateOptions{})
	if status, err := manager.Status(t.Context()); err != nil || status.Migration == nil {
		t.Errorf("status %+v, error %v", status, err)
	}
	wantSearched("after the switch", old, next)
	if _, err := manager.DropOld(t.Context(), MigrateOptions{}); err != nil {
		t.Fatal(err)
	}
	wantSearched("after the end", next)
}
