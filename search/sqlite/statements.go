package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// statements are prepared once by the writer.
type statements struct {
	findSession, insertSession, updateSession, deleteSession  *sql.Stmt
	putDocument, deleteDocument                               *sql.Stmt
	insertTerms, deleteTerms, insertTag, deleteTag            *sql.Stmt
	addCount                                                  *sql.Stmt
	upsertCompany, deleteCompany, upsertGrant, deleteGrant    *sql.Stmt
	raiseDirectoryRevision, setMeta, lastSequence, invalidate *sql.Stmt

	prepared []*sql.Stmt
}

func (s *statements) prepare(ctx context.Context, conn *sql.Conn) error {
	columns := columnNames()
	for _, p := range []struct {
		stmt **sql.Stmt
		sql  string
	}{
		{&s.findSession, "SELECT s.key, s.company_id, s.words, s.digits, s.tags, d.doc" +
			" FROM sessions AS s CROSS JOIN documents AS d ON d.key = s.key WHERE s.id = ?"},
		{&s.insertSession, "INSERT INTO sessions (" + strings.Join(columns, ", ") + ")" +
			" VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ")"},
		{&s.updateSession, "UPDATE sessions SET " + strings.Join(columns, " = ?, ") + " = ? WHERE key = ?"},
		{&s.deleteSession, "DELETE FROM sessions WHERE key = ?"},
		{&s.putDocument, "INSERT OR REPLACE INTO documents (key, doc) VALUES (?, ?)"},
		{&s.deleteDocument, "DELETE FROM documents WHERE key = ?"},
		{&s.insertTerms, "INSERT INTO session_terms (rowid, words, digits) VALUES (?, ?, ?)"},
		{&s.deleteTerms, "DELETE FROM session_terms WHERE rowid = ?"},
		{&s.insertTag, "INSERT OR IGNORE INTO session_tags (tag, key) VALUES (?, ?)"},
		{&s.deleteTag, "DELETE FROM session_tags WHERE tag = ? AND key = ?"},
		{&s.addCount, "INSERT INTO company_counts (company_id, sessions) VALUES (?1, ?2)" +
			" ON CONFLICT (company_id) DO UPDATE SET sessions = sessions + ?2"},
		{&s.upsertCompany, "INSERT INTO companies (id, name, parent_id) VALUES (?1, ?2, ?3)" +
			" ON CONFLICT (id) DO UPDATE SET name = ?2, parent_id = ?3 WHERE name <> ?2 OR parent_id <> ?3"},
		{&s.deleteCompany, "DELETE FROM companies WHERE id = ?"},
		{&s.upsertGrant, "INSERT OR IGNORE INTO grants (issuer, subject, company_id) VALUES (?, ?, ?)"},
		{&s.deleteGrant, "DELETE FROM grants WHERE issuer = ? AND subject = ? AND company_id = ?"},
		{&s.raiseDirectoryRevision, "UPDATE revisions SET revision = revision + 1 WHERE name = 'directory'"},
		{&s.lastSequence, "SELECT coalesce(max(sequence), 0) FROM touches"},
		{&s.invalidate, "INSERT INTO touches (company_id, sequence) VALUES (?1, ?2)" +
			" ON CONFLICT (company_id) DO UPDATE SET sequence = ?2"},
		{&s.setMeta, "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2"},
	} {
		stmt, err := conn.PrepareContext(ctx, p.sql) //nolint:sqlclosecheck // s.close does
		if err != nil {
			return errors.Join(engineError(ctx, err), s.close())
		}
		*p.stmt = stmt
		s.prepared = append(s.prepared, stmt)
	}
	return nil
}

func (s *statements) close() error {
	faults := make([]error, 0, len(s.prepared))
	for _, stmt := range s.prepared {
		faults = append(faults, stmt.Close())
	}
	s.prepared = nil
	return errors.Join(faults...)
}
