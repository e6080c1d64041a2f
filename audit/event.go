package audit

import (
	"bytes"
	"context"
	"log/slog"
	"time"
)

// Outcome is what became of an action.
type Outcome string

// The outcomes. After a failure it is not known how much was done.
const (
	Done      Outcome = "done"
	Unchanged Outcome = "unchanged" // all was as asked for already
	Refused   Outcome = "refused"   // nothing was done
	Failed    Outcome = "failed"
)

// Event is one line:
//
//	{"time": "2026-03-01T10:00:00.123Z", "action": "grant.add", "actor": "ops", "outcome": "done", …}
//
// followed by the details.
type Event struct {
	Action  string // what was asked for, noun first: "grant.add"
	Actor   string // who asked for it
	Outcome Outcome
	Details []slog.Attr // in order; their names are not those above
}

// line writes the event with its line end. The time is in UTC.
func (e Event) line(ctx context.Context, at time.Time) ([]byte, error) {
	var text bytes.Buffer
	record := slog.NewRecord(at.UTC(), slog.LevelInfo, "", 0)
	record.AddAttrs(slog.String("action", e.Action), slog.String("actor", e.Actor), slog.String("outcome", string(e.Outcome)))
	record.AddAttrs(e.Details...)
	err := slog.NewJSONHandler(&text, &slog.HandlerOptions{ReplaceAttr: withoutLogKeys}).Handle(ctx, record)
	return text.Bytes(), err
}

// withoutLogKeys drops what a line of the log has and this has no use for.
func withoutLogKeys(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return a
}
