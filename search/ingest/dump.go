package ingest

import (
	"context"
	"encoding/json"
	"io"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// DumpReport counts the lines of a dump.
type DumpReport struct {
	Companies, Grants, Sessions int64
	Unfit                       int64 // records among them that Run rejects
	Unread                      int64 // records without a line, since the store cannot read them
}

// Lines returns the number of written lines.
func (r DumpReport) Lines() int64 { return r.Companies + r.Grants + r.Sessions }

// Dump writes all records of the snapshot as lines that Run reads: companies, then
// grants, then sessions in wire form, each {"type": "…", "op": "upsert", "doc":
// {…}}. Records that this version refuses are included as they are stored, so that
// nothing is lost. Their lines have the key "unfit" beside the type, with the
// reason; Run rejects such lines. Progress may be nil. With an error, the report
// contains what was written to out before it.
//
// Errors: those of the snapshot, of out, or of ctx.
func Dump(ctx context.Context, from Snapshot, out io.Writer, progress func(DumpReport)) (DumpReport, error) {
	const batch = 1000
	var report DumpReport
	var lines []byte
	err := from.Changes(ctx, batch, func(changes []session.Change, unfit []session.Unfit) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		lines = lines[:0]
		written := report
		for _, c := range changes {
			var err error
			if lines, err = appendChange(lines, c); err != nil {
				return err
			}
			lines = append(lines, '\n')
			written.count(c.Kind)
		}
		for _, u := range unfit {
			if u.Document == nil {
				written.Unread++
				continue
			}
			var err error
			if lines, err = appendUnfit(lines, u); err != nil {
				return err
			}
			written.count(u.Kind)
			written.Unfit++
		}
		if _, err := out.Write(lines); err != nil {
			return err
		}
		report = written
		if progress != nil {
			progress(report)
		}
		return nil
	})
	return report, err
}

func (r *DumpReport) count(of session.Kind) {
	switch of {
	case session.KindCompany:
		r.Companies++
	case session.KindGrant:
		r.Grants++
	default:
		r.Sessions++
	}
}

func typeOf(kind session.Kind) Type {
	switch kind {
	case session.KindCompany:
		return TypeCompany
	case session.KindGrant:
		return TypeGrant
	}
	return TypeSession
}

// appendLine appends the line of an upsert, without a line break.
func appendLine(line []byte, of session.Kind, doc []byte) []byte {
	line = append(line, `{"type":"`+typeOf(of)+`","op":"upsert","doc":`...)
	return append(append(line, doc...), '}')
}

// appendUnfit appends the line of an unfit record, and a line break.
func appendUnfit(lines []byte, u session.Unfit) ([]byte, error) {
	reason, err := json.Marshal(u.Err.Error())
	if err != nil {
		return lines, err
	}
	lines = append(lines, `{"type":"`+typeOf(u.Kind)+`","`+unfitKey+`":`...)
	lines = append(append(lines, reason...), `,"doc":`...)
	return append(append(lines, u.Document...), "}\n"...), nil
}

func appendChange(line []byte, c session.Change) ([]byte, error) {
	switch c.Kind {
	case session.KindCompany:
		doc := struct {
			ID       tenancy.CompanyID  `json:"id"`
			Name     string             `json:"name"`
			ParentID *tenancy.CompanyID `json:"parentId"`
		}{ID: c.Company.ID, Name: c.Company.Name}
		if c.Company.ParentID != 0 {
			doc.ParentID = &c.Company.ParentID
		}
		return appendJSON(line, c.Kind, doc)
	case session.KindGrant:
		return appendJSON(line, c.Kind, struct {
			Issuer    string            `json:"issuer"`
			Subject   string            `json:"subject"`
			CompanyID tenancy.CompanyID `json:"companyId"`
		}{c.Grant.Account.Issuer, c.Grant.Account.Subject, c.Grant.CompanyID})
	}
	return appendLine(line, c.Kind, c.Session.JSON()), nil
}

func appendJSON(line []byte, of session.Kind, doc any) ([]byte, error) {
	text, err := json.Marshal(doc)
	if err != nil {
		return line, err
	}
	return appendLine(line, of, text), nil
}
