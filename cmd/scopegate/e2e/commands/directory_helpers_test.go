package commands_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// operator runs `scopegate directory` on a place, with an audit file of its own.
type operator struct {
	at    harness.Place
	audit string
}

func newOperator(t *testing.T, at harness.Place) *operator {
	t.Helper()
	return &operator{at: at, audit: filepath.Join(t.TempDir(), "audit.log")}
}

func (o *operator) try(t *testing.T, in string, args ...string) (out string, err error) {
	t.Helper()
	var text strings.Builder
	args = append(append([]string{"directory"}, args...), append(o.at.Flags(), "--set", "audit.file="+o.audit)...)
	if args[1] != "show" {
		args = append(args, "--actor", "ops")
	}
	err = cli.Run(t.Context(), args, nil, cli.Streams{In: strings.NewReader(in), Out: &text, Err: io.Discard})
	return text.String(), err
}

// do runs what must end well.
func (o *operator) do(t *testing.T, in string, args ...string) string {
	t.Helper()
	out, err := o.try(t, in, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// recorded are the audit's lines since the last time, without what every one
// has.
func (o *operator) recorded(t *testing.T) []map[string]any {
	t.Helper()
	text, err := os.ReadFile(o.audit)
	if err != nil {
		t.Fatal(err)
	}
	var events []map[string]any
	for line := range strings.Lines(string(text)) {
		var event map[string]any
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if event["actor"] != "ops" || event["uid"] != float64(os.Getuid()) || event["time"] == nil {
			t.Errorf("nobody is named in %s", line)
		}
		maps.DeleteFunc(event, func(key string, _ any) bool { return key == "actor" || key == "uid" || key == "time" })
		events = append(events, event)
	}
	if err := os.Truncate(o.audit, 0); err != nil {
		t.Fatal(err)
	}
	return events
}

func (o *operator) wantRecorded(t *testing.T, want ...map[string]any) {
	t.Helper()
	if diff := cmp.Diff(want, o.recorded(t)); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}

// grantEvent is a line about a grant.
func grantEvent(action, outcome, command, issuer, subject string, company float64) map[string]any {
	return map[string]any{
		"action": action, "outcome": outcome, "command": command,
		"company": company, "issuer": issuer, "subject": subject,
	}
}

// moveEvent is a line about a company that was moved; a nil parent is none.
func moveEvent(command string, company float64, from, to any) map[string]any {
	return map[string]any{
		"action": "company.move", "outcome": "done", "command": command,
		"company": company, "old_parent": from, "new_parent": to, "renamed": false,
	}
}

func grantOf(issuer, subject string, company int) string {
	return fmt.Sprintf(`{"type": "grant", "doc": {"issuer": %q, "subject": %q, "companyId": %d}}`, issuer, subject, company)
}
