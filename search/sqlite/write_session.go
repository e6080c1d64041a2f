package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// stored is the state of a session before it is written.
type stored struct {
	key           int64
	company       tenancy.CompanyID
	words, digits string
	tags          sql.NullString
	document      []byte
}

// lookUp finds with one query which sessions of the batch exist. Most are new, and
// each of those then needs no query of its own.
func (b *batch) lookUp(ctx context.Context, changes []session.Change) error {
	var ids []string
	for _, c := range changes {
		if c.Kind == session.KindSession && !c.Delete {
			ids = append(ids, c.Session.ID())
		}
	}
	if len(ids) == 0 {
		return nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return fmt.Errorf("sqlite: list of ids: %w", err)
	}
	return (&reader{conn: b.w.conn}).each(ctx, knownSessions, []any{string(list)}, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		b.known[id] = true
		return err
	})
}

const knownSessions = "SELECT s.id FROM json_each(?) AS list CROSS JOIN sessions AS s INDEXED BY sessions_id ON s.id = list.value"

// find reports whether the session exists, and its state.
func (b *batch) find(ctx context.Context, id string) (s stored, there bool, err error) {
	err = b.w.stmts.findSession.QueryRowContext(ctx, id).
		Scan(&s.key, &s.company, &s.words, &s.digits, &s.tags, &s.document)
	if errors.Is(err, sql.ErrNoRows) {
		return stored{}, false, nil
	}
	return s, err == nil, engineError(ctx, err)
}

func (b *batch) upsertSession(ctx context.Context, d session.Document) error {
	b.written.Upserted++
	if !b.known[d.ID()] {
		b.known[d.ID()] = true
		return b.insertSession(ctx, d)
	}
	old, there, err := b.find(ctx, d.ID())
	switch {
	case err != nil:
		return err
	case !there:
		return b.insertSession(ctx, d)
	case bytes.Equal(old.document, d.JSON()):
		return nil
	default:
		return b.updateSession(ctx, old, d)
	}
}

func (b *batch) insertSession(ctx context.Context, d session.Document) error {
	columns := columnValues(d)
	result, err := b.w.stmts.insertSession.ExecContext(ctx, columns...)
	if err != nil {
		return engineError(ctx, err)
	}
	key, err := result.LastInsertId()
	if err != nil {
		return engineError(ctx, err)
	}
	b.counts[d.CompanyID()]++
	return b.run(ctx, append(tagSteps(b.w.stmts.insertTag, key, d.Tags()),
		step{b.w.stmts.putDocument, []any{key, []byte(d.JSON())}},
		step{b.w.stmts.insertTerms, termsRow(key, columns)},
	)...)
}

func (b *batch) updateSession(ctx context.Context, old stored, d session.Document) error {
	columns := columnValues(d)
	terms := termsRow(old.key, columns)
	steps := []step{
		{b.w.stmts.updateSession, append(columns, old.key)},
		{b.w.stmts.putDocument, []any{old.key, []byte(d.JSON())}},
	}
	if terms[1] != old.words || terms[2] != old.digits {
		steps = append(steps,
			step{b.w.stmts.deleteTerms, []any{old.key}},
			step{b.w.stmts.insertTerms, terms})
	}
	if tags, _ := packTags(d.Tags()); tags != old.tags.String {
		steps = append(steps, tagSteps(b.w.stmts.deleteTag, old.key, unpackTags(old.tags.String))...)
		steps = append(steps, tagSteps(b.w.stmts.insertTag, old.key, d.Tags())...)
	}
	b.counts[old.company]--
	b.counts[d.CompanyID()]++
	return b.run(ctx, steps...)
}

// termsRow returns the session's row in the trigram index.
func termsRow(key int64, columns []any) []any {
	return append([]any{key}, columns[len(columns)-indexedColumns:]...)
}

func (b *batch) deleteSession(ctx context.Context, id string) error {
	old, there, err := b.find(ctx, id)
	if err != nil {
		return err
	}
	b.countDelete(there)
	if !there {
		return nil
	}
	b.counts[old.company]--
	return b.run(ctx, append(tagSteps(b.w.stmts.deleteTag, old.key, unpackTags(old.tags.String)),
		step{b.w.stmts.deleteSession, []any{old.key}},
		step{b.w.stmts.deleteDocument, []any{old.key}},
		step{b.w.stmts.deleteTerms, []any{old.key}},
	)...)
}

// step is one of several statements.
type step struct {
	stmt *sql.Stmt
	args []any
}

func (b *batch) run(ctx context.Context, steps ...step) error {
	for _, s := range steps {
		if _, err := s.stmt.ExecContext(ctx, s.args...); err != nil {
			return engineError(ctx, err)
		}
	}
	return nil
}

// tagSteps returns one execution of the statement per tag of a session.
func tagSteps(stmt *sql.Stmt, key int64, tags []string) []step {
	steps := make([]step, len(tags))
	for i, tag := range tags {
		steps[i] = step{stmt, []any{tag, key}}
	}
	return steps
}
