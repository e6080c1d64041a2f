package commands_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/search/sqlite"
)

// reordered is the small tree otherwise: 9 is gone with its grant, 3 is above 1,
// 5 is new below 2, and has a grant.
var reordered = strings.Join([]string{
	harness.CompanyLine(3, 0), harness.CompanyLine(1, 3), harness.CompanyLine(2, 1), harness.CompanyLine(5, 2), grantOf("https://id.example", "u2", 5),
}, "\n")

func TestAnImportThatReplacesRemovesWhatIsNotInIt(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			at := empty(t)
			harness.PlantSmallTree(t, at)
			harness.ImportLinesInto(t, at, grantOf("https://id.example", "u1", 9))
			ops := newOperator(t, at)
			before := ops.do(t, "", "show")

			dry := ops.do(t, reordered, "import", "--replace", "--dry-run", "-")
			for _, want := range []string{
				`- company 9 "Company 9", a root`, `~ company 1 "Company 1": below 3, was a root`, `~ company 3 "Company 3": a root, was below 1`,
				`+ company 5 "Company 5", below 2`, `- grant of company 9 to "u1" of "https://id.example"`, `+ grant of company 5 to "u2"`,
				"would be added: 1, changed: 2, removed: 1", "nobody can reach them",
			} {
				if !strings.Contains(dry, want) {
					t.Errorf("the dry run lacks %q:\n%s", want, dry)
				}
			}
			if diff := cmp.Diff(before, ops.do(t, "", "show")); diff != "" {
				t.Fatalf("the dry run has changed something:\n%s", diff)
			}
			if _, err := os.Stat(ops.audit); err == nil {
				t.Error("the dry run is on record")
			}

			ops.do(t, reordered, "import", "--replace", "-")
			want := "companies: 4, roots: 1, grants: 1, problems: 0\n" +
				"3 \"Company 3\", below it: 3\n  1 \"Company 1\", below it: 2\n    2 \"Company 2\", below it: 1\n      5 \"Company 5\", grants: 1\n"
			if diff := cmp.Diff(want, ops.do(t, "", "show")); diff != "" {
				t.Errorf("directory (-want +got):\n%s", diff)
			}
			const command = "directory import --replace"
			ops.wantRecorded(t,
				map[string]any{"action": "company.remove", "outcome": "done", "command": command, "company": 9.0, "old_parent": nil},
				moveEvent(command, 1, nil, 3.0), moveEvent(command, 3, 1.0, nil),
				map[string]any{"action": "company.add", "outcome": "done", "command": command, "company": 5.0, "new_parent": 2.0},
				grantEvent("grant.remove", "done", command, "https://id.example", "u1", 9),
				grantEvent("grant.add", "done", command, "https://id.example", "u2", 5),
			)
			ops.do(t, reordered, "import", "--replace", "-")
			ops.wantRecorded(t, map[string]any{"action": "directory.import", "outcome": "unchanged", "command": command})
		})
	}
}

func TestAnImportKeepsWhatItDoesNotName(t *testing.T) {
	dir := t.TempDir()
	ops := newOperator(t, harness.Folder(dir))
	file := harness.WriteFile(t, filepath.Join(t.TempDir(), "d.ndjson"), harness.CompanyLine(1, 0)+"\n"+harness.CompanyLine(2, 1))
	ops.do(t, grantOf("i", "s", 2), "import", file, "-")
	ops.do(t, `{"type": "company", "doc": {"id": 2, "name": "Renamed", "parentId": 1}}`, "import", "-")
	if out := ops.do(t, "", "show"); !strings.Contains(out, "companies: 2, roots: 1, grants: 1") || !strings.Contains(out, `2 "Renamed", grants: 1`) {
		t.Errorf("directory:\n%s", out)
	}
	if events := ops.recorded(t); len(events) != 4 || events[3]["action"] != "company.rename" || events[3]["renamed"] != true {
		t.Errorf("audit %v", events)
	}
}

func TestProblemsAreStoredWhenTheyAreAllowedAndMendedWithoutAsking(t *testing.T) {
	ops := newOperator(t, harness.EmptyFolder(t))
	ops.do(t, harness.CompanyLine(1, 2)+"\n"+harness.CompanyLine(2, 1)+"\n"+harness.CompanyLine(3, 77), "import", "--allow-problems", "-")
	if out := ops.do(t, "", "show"); !strings.Contains(out, "roots: 3, grants: 0, problems: 3") || !strings.Contains(out, "problem: company 1 is below itself") {
		t.Errorf("directory:\n%s", out)
	}
	ops.do(t, "", "move", "1", "--root") // company 3 is an orphan still
	if out := ops.do(t, "", "show"); !strings.Contains(out, "roots: 2, grants: 0, problems: 1") {
		t.Errorf("directory:\n%s", out)
	}
}

func TestADirectoryIsNotChangedWhereItDoesNotComeFrom(t *testing.T) {
	file := harness.WriteFile(t, filepath.Join(t.TempDir(), "d.ndjson"), harness.CompanyLine(1, 0))
	ops := newOperator(t, append(harness.Folder(harness.SmallTree(t)), "directory.file="+file))
	if _, err := ops.try(t, "", "move", "2", "--root"); err == nil || !strings.Contains(err.Error(), file) || cli.ExitCode(err, &strings.Builder{}) != cli.ExitUsage {
		t.Errorf("error %v", err)
	}
	if out := ops.do(t, "", "show"); !strings.HasPrefix(out, "companies: 1, roots: 1") {
		t.Errorf("directory:\n%s", out)
	}
}

func TestNothingIsChangedThatCannotBeRecorded(t *testing.T) {
	ops := newOperator(t, harness.Folder(harness.SmallTree(t)))
	before := ops.do(t, "", "show")
	ops.audit = filepath.Join(t.TempDir(), "none", "audit.log")
	if _, err := ops.try(t, "", "move", "2", "--root"); err == nil || cli.ExitCode(err, &strings.Builder{}) != cli.ExitFailed {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, ops.do(t, "", "show")); diff != "" {
		t.Errorf("directory (-before +after):\n%s", diff)
	}
}

func TestAnEngineThatIsDownIsAFailureOnRecord(t *testing.T) {
	ops := newOperator(t, harness.Place{"engine=elasticsearch", `elasticsearch.addresses=["http://127.0.0.1:1"]`})
	if _, err := ops.try(t, "", "grant", "--issuer", "i", "--subject", "s", "--company", "1"); err == nil || cli.ExitCode(err, &strings.Builder{}) != cli.ExitFailed {
		t.Errorf("error %v", err)
	}
	ops.wantRecorded(t, grantEvent("grant.add", "failed", "directory grant", "i", "s", 1))
}

func TestAWrongFolderIsNotMade(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	ops := newOperator(t, harness.Folder(missing))
	for _, args := range [][]string{{"show"}, {"move", "2", "--root"}, {"import", "--dry-run", "-"}} {
		if _, err := ops.try(t, "", args...); err == nil || cli.ExitCode(err, &strings.Builder{}) != cli.ExitUsage || !strings.Contains(err.Error(), sqlite.FileName) {
			t.Errorf("%v: error %v", args, err)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the folder has come to be")
	}
}

func TestWrongUsageOfTheDirectoryIsRefused(t *testing.T) {
	ops := newOperator(t, harness.Folder(harness.SmallTree(t)))
	for says, args := range map[string][]string{
		"either --parent or --root": {"move", "2"},
		"can't be used together":    {"move", "2", "--root", "--parent", "9"},
		"company must be 1 to":      {"move", "0", "--root"},
		"--parent must be 1 to":     {"move", "2", "--parent", "2147483648"},
		"issuer: must not be empty": {"grant", "--issuer", "", "--subject", "s", "--company", "1"},
		"companyId: must be 1 to":   {"revoke", "--issuer", "i", "--subject", "s", "--company", "0"},
		"missing flags: --subject":  {"grant", "--issuer", "i", "--company", "1"},
		"is a folder":               {"import", t.TempDir()},
	} {
		if _, err := ops.try(t, "", args...); err == nil || !strings.Contains(err.Error(), says) || cli.ExitCode(err, &strings.Builder{}) != cli.ExitUsage {
			t.Errorf("%v: error %v, want one that says %q", args, err, says)
		}
	}
	if _, err := os.Stat(ops.audit); err == nil {
		t.Error("wrong usage is on record")
	}
}
