package ingest

import (
	"context"
	"io"
	"strconv"

	"github.com/scopegate/scopegate/session"
)

// Snapshot is a store that can be read as it is at one moment.
type Snapshot interface {
	// Changes calls f with all records as upserts, at most limit at a time, and
	// with sessions that are invalid by the rules of this version. It stops at the
	// first error of f and returns it unchanged.
	Changes(ctx context.Context, limit int, f func([]session.Change, []session.Unfit) error) error
}

// Copy writes all records of the snapshot, in batches of o.BatchLines. Other data
// in the writer's store stays. It may be repeated: writes are idempotent. Progress
// counts records, not bytes. With an error, the report contains what certainly
// happened before it.
//
// Records that are unfit, or that the writer's store refuses, are left out. They
// count as Report.Rejected, and are written to o.Rejects as {"type": "…", "id":
// "…", "reason": "…", "text": "…"}. The text is a line that Run can read after it
// was corrected. A grant has no id.
//
// Errors: those of the snapshot, of o.Rejects, of the writer after o.Attempts, or
// of ctx.
func Copy(ctx context.Context, w session.Writer, from Snapshot, o Options) (Report, error) {
	o = o.withDefaults()
	c := copying{writer: retryingWriter{to: w, attempts: o.Attempts, backoff: o.Backoff}, rejects: o.Rejects}
	err := from.Changes(ctx, o.BatchLines, func(changes []session.Change, unfit []session.Unfit) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.batch(ctx, changes, unfit); err != nil {
			return err
		}
		if o.Progress != nil {
			o.Progress(Progress{Lines: c.report.Lines})
		}
		return nil
	})
	return c.report, err
}

type copying struct {
	writer  retryingWriter
	rejects io.Writer // nil: records that are left out are only counted
	report  Report
}

// batch writes the changes, then the records that are left out.
func (c *copying) batch(ctx context.Context, changes []session.Change, unfit []session.Unfit) error {
	var left []leftOut
	if len(changes) > 0 {
		written, refused, err := c.writer.write(ctx, changes)
		if err != nil {
			return err
		}
		c.report.Upserted += int64(written.Upserted)
		for _, r := range refused {
			out, err := leftOutChange(changes[r.Change], r.Reason)
			if err != nil {
				return err
			}
			left = append(left, out)
		}
	}
	for _, u := range unfit {
		left = append(left, leftOut{Type: typeOf(u.Kind), ID: u.ID, Reason: u.Err.Error(), Text: string(appendLine(nil, u.Kind, u.Document))})
	}
	c.report.Lines += int64(len(changes) + len(unfit))
	c.report.Rejected += int64(len(left))
	if c.rejects == nil {
		return nil
	}
	for _, out := range left {
		if err := writeReject(c.rejects, out); err != nil {
			return err
		}
	}
	return nil
}

// leftOut is a record that is not copied, in the form for Options.Rejects.
type leftOut struct {
	Type   Type   `json:"type"`
	ID     string `json:"id,omitempty"`
	Reason string `json:"reason"`
	Text   string `json:"text"`
}

func leftOutChange(c session.Change, reason string) (leftOut, error) {
	out := leftOut{Type: typeOf(c.Kind), Reason: reason}
	switch c.Kind {
	case session.KindCompany:
		out.ID = strconv.FormatUint(uint64(c.Company.ID), 10)
	case session.KindSession:
		out.ID = c.Session.ID()
	}
	line, err := appendChange(nil, c)
	out.Text = string(line)
	return out, err
}
