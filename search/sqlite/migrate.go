package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// Migration is the result of Migrate.
type Migration struct {
	Sessions int64 // that were rewritten
	// Unfit is the number of sessions that this version refuses. They are in
	// UnfitFile, one line of NDJSON each, as they were stored.
	Unfit     int64
	UnfitFile string // "": there are none
}

const (
	newSuffix    = ".new"          // the name while the file is being built
	unfitSuffix  = ".unfit.ndjson" // the file for sessions that cannot be rewritten
	migrateBatch = 1000            // sessions written at a time
)

// Migrate writes a new database in this program's schema beside the old one, and
// replaces the old one at the end. Nobody else may have the folder open meanwhile.
// If it is interrupted at any point, even by a crash, the old database is
// unchanged, and the next Migrate starts from the beginning. Progress may be nil. A
// folder that is up to date stays as it is.
//
// Errors: ErrInUse; ErrSchema for the file of a newer version or another program;
// search.ErrUnavailable when a file can't be read or written; the context's error.
func Migrate(ctx context.Context, dir string, progress func(done, of int64)) (_ Migration, err error) {
	path, err := filepath.Abs(filepath.Join(dir, FileName))
	if err != nil {
		return Migration{}, fmt.Errorf("sqlite: %w", err)
	}
	if _, err := os.Stat(path); err != nil { // #nosec G703 -- the operator names it; SQLite would create it
		return Migration{}, fmt.Errorf("sqlite: %w", err)
	}
	held, err := holdAlone(path)
	if err != nil {
		return Migration{}, fmt.Errorf("migrate %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, held.release()) }()
	switch outdated, err := isOutdated(ctx, path); {
	case err != nil:
		return Migration{}, fmt.Errorf("migrate %s: %w", path, err)
	case !outdated:
		return Migration{}, nil
	}
	if progress == nil {
		progress = func(int64, int64) {}
	}
	m := migrating{path: path, progress: progress}
	done, err := m.run(ctx)
	if err != nil {
		return Migration{}, errors.Join(fmt.Errorf("migrate %s: %w", path, err), removeDatabase(path+newSuffix))
	}
	return done, nil
}

// isOutdated runs the migration steps that need no new file.
func isOutdated(ctx context.Context, path string) (bool, error) {
	s, err := Open(ctx, Options{Path: path, held: true})
	if errors.Is(err, ErrOutdated) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, s.Close()
}

type migrating struct {
	path     string
	progress func(done, of int64)
	total    int64
	done     Migration
	unfit    bytes.Buffer
}

func (m *migrating) run(ctx context.Context) (_ Migration, err error) {
	if err := removeDatabase(m.path + newSuffix); err != nil { // left over by a killed migration
		return Migration{}, err
	}
	db, err := sql.Open("sqlite", dsn(m.path, defaultBusyTimeout))
	if err != nil {
		return Migration{}, engineError(ctx, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return Migration{}, engineError(ctx, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := lockOld(ctx, conn); err != nil {
		return Migration{}, err
	}
	if err := m.build(ctx, &reader{conn: conn}); err != nil {
		return Migration{}, err
	}
	if err := m.keepUnfit(); err != nil {
		return Migration{}, err
	}
	return m.done, m.replace(ctx, conn)
}

// lockOld locks the old database for this connection: programs that do not know our
// lock file may have it open.
func lockOld(ctx context.Context, conn *sql.Conn) error {
	for _, statement := range []string{"PRAGMA busy_timeout = 0", "PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE", "COMMIT"} {
		_, err := conn.ExecContext(ctx, statement)
		if e := (*sqlite.Error)(nil); errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY {
			return errHeld()
		}
		if err != nil {
			return engineError(ctx, err)
		}
	}
	return nil
}

// build writes the new database and compares it with the old one.
func (m *migrating) build(ctx context.Context, old *reader) (err error) {
	to, err := Open(ctx, Options{Path: m.path + newSuffix, held: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if m.total, err = old.number(ctx, "SELECT count(*) FROM documents"); err != nil {
		return err
	}
	if err := old.changes(ctx, migrateBatch, func(changes []session.Change, unfit []session.Unfit) error {
		return m.write(ctx, to, changes, unfit)
	}); err != nil {
		return err
	}
	if err := copyMarks(ctx, old, to); err != nil {
		return err
	}
	if err := to.Optimize(ctx); err != nil {
		return err
	}
	return m.compare(ctx, old, to)
}

func (m *migrating) write(ctx context.Context, to *Store, changes []session.Change, unfit []session.Unfit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(changes) > 0 {
		if _, err := to.Write(ctx, changes); err != nil {
			return err
		}
	}
	for _, c := range changes {
		if c.Kind == session.KindSession {
			m.done.Sessions++
		}
	}
	for _, u := range unfit {
		m.done.Unfit++
		m.unfit.Write(u.Document)
		m.unfit.WriteByte('\n')
	}
	m.progress(m.done.Sessions+m.done.Unfit, m.total)
	return nil
}

// copyMarks copies the values about the data as a whole, except those that identify
// its schema and the data itself: cached answers belong to the old database.
func copyMarks(ctx context.Context, old *reader, to *Store) error {
	marks := map[string]string{}
	err := old.each(ctx, "SELECT name, value FROM meta", nil, func(rows *sql.Rows) error {
		var name, value string
		err := rows.Scan(&name, &value)
		marks[name] = value
		return err
	})
	if err != nil {
		return err
	}
	for name, value := range marks {
		if name == epochMark || strings.HasPrefix(name, "schema.") {
			continue
		}
		if err := to.SetMeta(ctx, name, value); err != nil {
			return err
		}
	}
	return nil
}

// errDiffers reports that the new database does not hold what the old one holds; it
// does not replace the old one then.
var errDiffers = fmt.Errorf("sqlite: %w: %w", search.ErrUnavailable, reason.Text("the new database does not hold what the old one holds"))

// compare compares the numbers of records of the two databases.
func (m *migrating) compare(ctx context.Context, old *reader, to *Store) error {
	return to.readers.use(ctx, func(r *reader) error {
		for _, table := range []string{"companies", "grants", "documents", "sessions"} {
			want, err := old.number(ctx, "SELECT count(*) FROM "+table)
			if err != nil {
				return err
			}
			got, err := r.number(ctx, "SELECT count(*) FROM "+table)
			if err != nil {
				return err
			}
			if table == "documents" || table == "sessions" {
				got += m.done.Unfit
			}
			if got != want {
				return errDiffers
			}
		}
		return nil
	})
}

// keepUnfit writes the sessions that are left out to a file and syncs it.
func (m *migrating) keepUnfit() error {
	if m.unfit.Len() == 0 {
		return nil
	}
	m.done.UnfitFile = m.path + unfitSuffix
	return writeSynced(m.done.UnfitFile, m.unfit.Bytes())
}

func writeSynced(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600) // #nosec G304 -- beside the data
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}

// replace gives the new database the old one's name. The old one's write-ahead log
// must be gone by then: SQLite would apply it to the new one.
func (m *migrating) replace(ctx context.Context, old *sql.Conn) error {
	if err := syncFile(m.path + newSuffix); err != nil {
		return err
	}
	for _, statement := range []string{"PRAGMA journal_mode = DELETE", "PRAGMA journal_mode = OFF"} {
		if err := execute(ctx, old, statement); err != nil {
			return err
		}
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(m.path + suffix); err == nil {
			return fmt.Errorf("sqlite: %w: %w", search.ErrUnavailable, reason.Text("the log of the old database is still there"))
		}
	}
	return moveDatabase(m.path+newSuffix, m.path)
}

// moveDatabase renames a database that nobody has open over another.
func moveDatabase(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	return errors.Join(syncFolder(filepath.Dir(to)), removeDatabase(from))
}

func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0) // #nosec G304 -- beside the data
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	return errors.Join(file.Sync(), file.Close())
}

// syncFolder makes a rename durable. Systems that do not support this do not need
// it.
func syncFolder(dir string) error {
	folder, err := os.Open(dir) // #nosec G304 -- the operator names it
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	_ = folder.Sync()
	return folder.Close()
}

// removeDatabase removes a database and SQLite's side files.
func removeDatabase(path string) error {
	var faults []error
	for _, suffix := range []string{"", "-wal", "-shm", "-journal", ".lock"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) { // #nosec G703 -- beside the data
			faults = append(faults, fmt.Errorf("sqlite: %w", err))
		}
	}
	return errors.Join(faults...)
}
