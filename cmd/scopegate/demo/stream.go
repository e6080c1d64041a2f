package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/scopegate/scopegate/session"
)

// Sessions yields the sessions numbered from … to-1 as upserts. It ends after
// the first error.
func (g *Generator) Sessions(from, to int) iter.Seq2[session.Change, error] {
	return func(yield func(session.Change, error) bool) {
		for i := from; i < to; i++ {
			doc, err := session.Parse(g.Session(i))
			if err != nil {
				yield(session.Change{}, fmt.Errorf("generated session %d: %w", i, err))
				return
			}
			if !yield(session.Change{Kind: session.KindSession, Session: doc}, nil) {
				return
			}
		}
	}
}

// WriteNDJSON writes the companies, the grants and then so many sessions, one
// line each, as `scopegate import` reads them. progress, unless nil, is told
// the number of sessions written, every now and then and at the end.
//
// Errors: those of out, or the context's.
func (g *Generator) WriteNDJSON(ctx context.Context, out io.Writer, sessions int, progress func(done int)) error {
	w := &lineWriter{out: bufio.NewWriterSize(out, 1<<18)}
	for _, change := range g.Directory() {
		w.directoryLine(change)
	}
	for i := range sessions {
		w.sessionLine(g.Session(i))
		if i%1000 != 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if progress != nil {
			progress(i)
		}
		if w.err != nil {
			return w.err
		}
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	if progress != nil {
		progress(sessions)
	}
	return w.err
}

// lineWriter writes import lines and keeps the first error.
type lineWriter struct {
	out  *bufio.Writer
	line []byte
	err  error
}

func (l *lineWriter) sessionLine(doc []byte) {
	l.line = append(l.line[:0], `{"type":"session","op":"upsert","doc":`...)
	l.line = append(l.line, doc...)
	l.write("}\n")
}

func (l *lineWriter) directoryLine(change session.Change) {
	w := wire{buf: append(l.line[:0], '{')}
	if change.Kind == session.KindCompany {
		w.text("type", "company")
		w.text("op", "upsert")
		w.open("doc")
		w.integer("id", int(change.Company.ID))
		w.text("name", change.Company.Name)
		w.atLeast(1, "parentId", int(change.Company.ParentID))
	} else {
		w.text("type", "grant")
		w.text("op", "upsert")
		w.open("doc")
		w.text("issuer", change.Grant.Account.Issuer)
		w.text("subject", change.Grant.Account.Subject)
		w.integer("companyId", int(change.Grant.CompanyID))
	}
	w.shut()
	l.line = w.buf
	l.write("}\n")
}

func (l *lineWriter) write(end string) {
	l.line = append(l.line, end...)
	if l.err == nil {
		_, l.err = l.out.Write(l.line)
	}
}
