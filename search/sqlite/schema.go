package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/scopegate/scopegate/search/keyword"
)

// schemaVersion is stored in PRAGMA user_version. Raise it with every change of the
// schema and add the step to migrate.
const schemaVersion = 2

// ErrSchema marks a file that this version of Scopegate can't work on: it was
// written by a newer one, or by another program.
var ErrSchema = errors.New("unusable database schema")

// ErrOutdated marks a file whose tables must be rewritten by Migrate.
var ErrOutdated = errors.New("the data folder is of an older schema: `scopegate store migrate` brings it up to date, and `scopegate serve` does so before it serves")

// foldMark is the row of meta that identifies the table that the stored text was
// folded with; see keyword.FoldFingerprint.
const foldMark = "schema.fold"

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
CREATE INDEX sessions_chat ON sessions (chat_id) WHERE chat_id IS NOT NULL;`

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
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;`

// touches (version 2) holds, for each company, the number of the last transaction
// that wrote, moved or deleted sessions of it; 0 stands for all companies. The mark
// distinguishes this sequence of numbers from that of another database.
const touches = `
CREATE TABLE touches (company_id INTEGER PRIMARY KEY, sequence INTEGER NOT NULL) STRICT;
CREATE INDEX touches_sequence ON touches (sequence);
INSERT INTO meta (name, value) VALUES ('touches.epoch', lower(hex(randomblob(16))));`

// migrate brings the file to schemaVersion. Two processes may call it at once: the
// second waits for the first and finds nothing to do.
func migrate(ctx context.Context, conn *sql.Conn) error {
	version, err := userVersion(ctx, conn)
	if err != nil {
		return err
	}
	if version == schemaVersion {
		return checkFold(ctx, conn)
	}
	err = execute(ctx, conn, "BEGIN IMMEDIATE")
	if err == nil {
		err = migrateLocked(ctx, conn)
	}
	if err == nil {
		err = execute(context.WithoutCancel(ctx), conn, "COMMIT")
	}
	if err != nil {
		return errors.Join(err, rollback(ctx, conn))
	}
	return checkFold(ctx, conn)
}

// checkFold refuses text that was folded with another table: searches would miss
// sessions without an error.
func checkFold(ctx context.Context, conn *sql.Conn) error {
	var stored string
	err := conn.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", foldMark).Scan(&stored)
	switch {
	case err != nil:
		return engineError(ctx, err)
	case stored != keyword.FoldFingerprint():
		return fmt.Errorf("%w: its text was folded by another version's rules", ErrOutdated)
	}
	return nil
}

func migrateLocked(ctx context.Context, conn *sql.Conn) error {
	version, err := userVersion(ctx, conn)
	switch {
	case err != nil:
		return err
	case version == schemaVersion:
		return nil
	case version == 1:
		return errors.Join(execute(ctx, conn, touches), execute(ctx, conn, setSchemaVersion()))
	case version != 0:
		return newerSchema(version)
	}
	if err := refuseForeign(ctx, conn); err != nil {
		return err
	}
	for _, statements := range []string{
		createSessions(), tables, indexes, touches, setSchemaVersion(),
	} {
		if err := execute(ctx, conn, statements); err != nil {
			return err
		}
	}
	return execute(ctx, conn, "INSERT INTO meta (name, value) VALUES (?, ?)", foldMark, keyword.FoldFingerprint())
}

func newerSchema(version int) error {
	return fmt.Errorf("%w: the file has schema %d, this program knows up to %d: use a newer program or another folder",
		ErrSchema, version, schemaVersion)
}

// readableSchema refuses files that cannot be read. An older schema can be read.
func readableSchema(ctx context.Context, conn *sql.Conn) error {
	version, err := userVersion(ctx, conn)
	switch {
	case err != nil:
		return err
	case version == 0:
		return fmt.Errorf("%w: it is no data of Scopegate", ErrSchema)
	case version > schemaVersion:
		return newerSchema(version)
	}
	return nil
}

func setSchemaVersion() string { return fmt.Sprintf("PRAGMA user_version = %d", schemaVersion) }

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
