package audit

import (
	"bytes"
	"context"
	"log/slog"
	"time"
)

// Outcome is the result of an action.
type Outcome string

// The outcomes. After a failure it is unknown how much was done.
const (
	Done      Outcome = "done"
	Unchanged Outcome = "unchanged" // the requested state existed already
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
	Actor   string // who requested it
	Outcome Outcome
	Details []slog.Attr // in order; their names must differ from those above
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

// withoutLogKeys removes the attributes of a log line that an event does not have.
func withoutLogKeys(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return a
}
