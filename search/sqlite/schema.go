package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/scopegate/scopegate/search/schema"
)

// ErrSchema marks a file that this version of Scopegate can't work on: it was
// written by a newer one, or by another program.
var ErrSchema = errors.New("unusable database schema")

// ErrOutdated marks a file whose tables must be rewritten by Migrate.
var ErrOutdated = errors.New("the data folder is of an older schema: `scopegate store migrate` brings it up to date, and `scopegate serve` does so before it serves")

// Rows of meta about the schema, beside its number in PRAGMA user_version.
const (
	foldMark    = "schema.fold"    // identifies the folding table; see keyword.Folding.Fingerprint
	programMark = "schema.program" // the version of Scopegate that made the tables, or changed them last
)

// There are few indexes, since each makes every insert slower. The two that the
// default order walks contain the id, so that deep pages read only the index, and
// the date that the contract filters by default.
const indexes = `
CREATE UNIQUE INDEX sessions_id ON sessions (id);
CREATE INDEX sessions_company ON sessions (company_id, started_at DESC, id, created_at);
CREATE INDEX sessions_started ON sessions (started_at DESC, id, company_id, created_at);
CREATE INDEX sessions_created ON sessions (created_at, company_id);
CREATE INDEX sessions_updated ON sessions (updated_at, company_id);
CREATE INDEX sessions_name ON sessions (name_key, company_id);
CREATE INDEX sessions_chat ON sessions (chat_id) WHERE chat_id IS NOT NULL;
CREATE INDEX sessions_client ON sessions (client_id) WHERE client_id IS NOT NULL;`

const tables = `
CREATE TABLE documents (key INTEGER PRIMARY KEY, doc BLOB NOT NULL) STRICT;
CREATE TABLE session_tags (tag TEXT NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (tag, key)) STRICT, WITHOUT ROWID;
CREATE TABLE company_counts (company_id INTEGER PRIMARY KEY, sessions INTEGER NOT NULL) STRICT;
CREATE VIRTUAL TABLE session_terms USING fts5 (
  words, digits, content='', contentless_delete=1,
  tokenize='trigram case_sensitive 1 remove_diacritics 0'
);
INSERT INTO session_terms (session_terms, rank) VALUES ('automerge', 8);
CREATE VIRTUAL TABLE session_vocabulary USING fts5vocab (session_terms, row);
CREATE TABLE companies (id INTEGER PRIMARY KEY, name TEXT NOT NULL, parent_id INTEGER NOT NULL) STRICT;
CREATE TABLE grants (
  issuer TEXT NOT NULL, subject TEXT NOT NULL, company_id INTEGER NOT NULL,
  PRIMARY KEY (issuer, subject, company_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE revisions (name TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO revisions (name, revision) VALUES ('directory', 1);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE touches (company_id INTEGER PRIMARY KEY, sequence INTEGER NOT NULL) STRICT;
CREATE INDEX touches_sequence ON touches (sequence);
INSERT INTO meta (name, value) VALUES ('touches.epoch', lower(hex(randomblob(16))));`

// bringUpToDate makes the tables, or adds what they lack. Two processes may call it
// at once: the second waits for the first and finds nothing to do. It fails with
// ErrOutdated if the data must be rewritten.
func bringUpToDate(ctx context.Context, conn *sql.Conn, steps schema.List) error {
	version, err := userVersion(ctx, conn)
	if err != nil {
		return err
	}
	if version == steps.Newest().Schema {
		return checkFold(ctx, conn, steps)
	}
	err = execute(ctx, conn, "BEGIN IMMEDIATE")
	if err == nil {
		err = bringUpLocked(ctx, conn, steps)
	}
	if err == nil {
		err = execute(context.WithoutCancel(ctx), conn, "COMMIT")
	}
	if err != nil {
		return errors.Join(err, rollback(ctx, conn))
	}
	return checkFold(ctx, conn, steps)
}

// checkFold refuses text that was folded with another table: searches would miss
// sessions without an error.
func checkFold(ctx context.Context, conn *sql.Conn, steps schema.List) error {
	stored, err := readMark(ctx, conn, foldMark)
	switch {
	case err != nil:
		return engineError(ctx, err)
	case stored != steps.Newest().Folding.Fingerprint():
		return fmt.Errorf("%w: its text was folded by another version's rules", ErrOutdated)
	}
	return nil
}

func bringUpLocked(ctx context.Context, conn *sql.Conn, steps schema.List) error {
	version, err := userVersion(ctx, conn)
	newest := steps.Newest().Schema
	switch {
	case err != nil:
		return err
	case version == newest:
		return nil
	case version > newest:
		return newerSchema(ctx, conn, version, steps)
	case version != 0:
		return addTo(ctx, conn, steps.After(version))
	}
	if err := refuseForeign(ctx, conn); err != nil {
		return err
	}
	for _, statements := range []string{createSessions(), tables, indexes} {
		if err := execute(ctx, conn, statements); err != nil {
			return err
		}
	}
	fold := steps.Newest().Folding.Fingerprint()
	return errors.Join(setMark(ctx, conn, foldMark, fold), mark(ctx, conn, newest))
}

// addTo runs steps that add columns, tables or indexes.
func addTo(ctx context.Context, conn *sql.Conn, steps schema.List) error {
	if steps.SQLite() == schema.Rewritten {
		return fmt.Errorf("%w: its records must be rewritten", ErrOutdated)
	}
	for _, step := range steps {
		if err := execute(ctx, conn, step.SQL); err != nil {
			return err
		}
	}
	return mark(ctx, conn, steps.Newest().Schema)
}

// mark stores which schema the tables have, and which program made them so.
func mark(ctx context.Context, conn *sql.Conn, version int) error {
	return errors.Join(
		execute(ctx, conn, fmt.Sprintf("PRAGMA user_version = %d", version)),
		setMark(ctx, conn, programMark, schema.Program()),
	)
}

func setMark(ctx context.Context, conn *sql.Conn, name, value string) error {
	return execute(ctx, conn, "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
}

func readMark(ctx context.Context, conn *sql.Conn, name string) (value string, err error) {
	err = conn.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", name).Scan(&value)
	return value, err
}

func newerSchema(ctx context.Context, conn *sql.Conn, version int, steps schema.List) error {
	program, err := readMark(ctx, conn, programMark)
	if err != nil {
		program = "" // the newer schema may keep it elsewhere
	}
	return fmt.Errorf("%w: %s, or another folder", ErrSchema, steps.Newer("the file", version, program))
}

// readableSchema refuses files that cannot be read. An older schema can be read.
func readableSchema(ctx context.Context, conn *sql.Conn) error {
	version, err := userVersion(ctx, conn)
	steps := schema.Steps()
	switch {
	case err != nil:
		return err
	case version == 0:
		return fmt.Errorf("%w: it is no data of Scopegate", ErrSchema)
	case version > steps.Newest().Schema:
		return newerSchema(ctx, conn, version, steps)
	}
	return nil
}

// refuseForeign refuses a file of another program, so that we do not add our tables
// to it.
func refuseForeign(ctx context.Context, conn *sql.Conn) error {
	var n int
	err := conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n)
	if err != nil {
		return engineError(ctx, err)
	}
	if n > 0 {
		return fmt.Errorf("%w: the file holds another program's tables: use another folder", ErrSchema)
	}
	return nil
}

func userVersion(ctx context.Context, conn *sql.Conn) (int, error) {
	var version int
	err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
	return version, engineError(ctx, err)
}

func execute(ctx context.Context, conn *sql.Conn, statement string, args ...any) error {
	_, err := conn.ExecContext(ctx, statement, args...)
	return engineError(ctx, err)
}
