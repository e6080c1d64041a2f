package ingest

import (
	"context"
	"encoding/json"
	"io"
	"strconv"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Snapshot is a store that can be read as it is at one moment.
type Snapshot interface {
	// Changes hands over all records as upserts, at most so many at a time, beside
	// those that cannot be: sessions that are none by the rules of today. It ends
	// with f's first error, unchanged.
	Changes(ctx context.Context, most int, f func([]session.Change, []session.Unfit) error) error
}

// Copy writes all records of the snapshot, in batches of o.BatchLines; what else
// the writer's store holds stays there. It may be run again: writes are
// idempotent. Progress counts records, not bytes. The report counts what surely
// happened, also beside an error.
//
// Records that cannot be copied, as they are unfit or the writer's store refuses
// them, are left out: they are Report.Rejected, and go to o.Rejects as
// {"type": "…", "id": "…", "reason": "…", "text": "…"}, where the text is a line
// that Run reads when it is mended. A grant has no id.
//
// Errors: those of the snapshot, of o.Rejects, and of the writer after
// o.Attempts, or ctx's.
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
	rejects io.Writer // nil: records that are left out are counted only
	report  Report
}

// batch writes the changes, then what is left out.
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
		left = append(left, leftOut{Type: TypeSession, ID: u.ID, Reason: u.Err.Error(), Text: sessionLine(u.Document)})
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

// leftOut is a record that is not copied, as it is written to Options.Rejects.
type leftOut struct {
	Type   Type   `json:"type"`
	ID     string `json:"id,omitempty"`
	Reason string `json:"reason"`
	Text   string `json:"text"`
}

func leftOutChange(c session.Change, reason string) (leftOut, error) {
	out := leftOut{Reason: reason}
	var err error
	switch c.Kind {
	case session.KindCompany:
		out.Type, out.ID = TypeCompany, strconv.FormatUint(uint64(c.Company.ID), 10)
		out.Text, err = companyLine(c.Company)
	case session.KindGrant:
		out.Type = TypeGrant
		out.Text, err = grantLine(c.Grant)
	default:
		out.Type, out.ID = TypeSession, c.Session.ID()
		out.Text = sessionLine(c.Session.JSON())
	}
	return out, err
}

func sessionLine(doc []byte) string { return `{"type":"session","doc":` + string(doc) + `}` }

func companyLine(c tenancy.Company) (string, error) {
	doc := struct {
		ID       tenancy.CompanyID  `json:"id"`
		Name     string             `json:"name"`
		ParentID *tenancy.CompanyID `json:"parentId"`
	}{ID: c.ID, Name: c.Name}
	if c.ParentID != 0 {
		doc.ParentID = &c.ParentID
	}
	line, err := json.Marshal(map[string]any{"type": TypeCompany, "doc": doc})
	return string(line), err
}

func grantLine(g tenancy.Grant) (string, error) {
	line, err := json.Marshal(map[string]any{"type": TypeGrant, "doc": map[string]any{
		"issuer": g.Account.Issuer, "subject": g.Account.Subject, "companyId": g.CompanyID,
	}})
	return string(line), err
}
