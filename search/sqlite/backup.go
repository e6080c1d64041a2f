package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Backup writes the folder's database to a file, as it is at one moment. Others may
// write meanwhile. The file must not exist. It gets its name only when it is
// complete, and only its owner can read it.
//
// Errors: fs.ErrExist; ErrSchema for the file of a newer version or another
// program; search.ErrUnavailable when a file can't be read or written; the
// context's error.
func Backup(ctx context.Context, dir, file string) (err error) {
	file, err = filepath.Abs(file)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%s: %w", file, fs.ErrExist)
	}
	from, err := OpenArchive(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	part := file + ".part"
	if err := removeDatabase(part); err != nil {
		return err
	}
	// SQLite would create it readable by everyone.
	made, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // #nosec G304 -- the operator names it
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	if err := made.Close(); err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	err = from.readers.use(ctx, func(r *reader) error {
		if err := execute(ctx, r.conn, "PRAGMA query_only = 0"); err != nil { // needed to write the other file
			return err
		}
		return execute(ctx, r.conn, "VACUUM INTO ?", part)
	})
	if err == nil {
		err = syncFile(part)
	}
	if err != nil {
		return errors.Join(err, removeDatabase(part))
	}
	return moveDatabase(part, file)
}

// Restored is the result of Restore.
type Restored struct {
	Replaced string // where the database is that was there before; "": there was none
}

// replacedSuffix is appended to the name of a database that Restore replaced.
const replacedSuffix = ".replaced"

// Restore puts a copy of a backup in the folder. Nobody else may have the folder
// open. The copy gets a new identity, so that caches treat it as other data than
// the folder held before, and than the backup was made of. If the folder has a
// database already, Restore keeps it under another name when replace is set, and
// fails with fs.ErrExist otherwise.
//
// Errors: also ErrInUse; ErrSchema when the file is not a backup that this program
// knows; search.ErrUnavailable when it is damaged.
func Restore(ctx context.Context, file, dir string, replace bool) (_ Restored, err error) {
	if err := checkBackup(ctx, file); err != nil {
		return Restored{}, fmt.Errorf("%s: %w", file, err)
	}
	path, err := filepath.Abs(filepath.Join(dir, FileName))
	if err != nil {
		return Restored{}, fmt.Errorf("sqlite: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Restored{}, fmt.Errorf("sqlite: data folder: %w", err)
	}
	held, err := holdAlone(path)
	if err != nil {
		return Restored{}, fmt.Errorf("restore %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, held.release()) }()
	there, err := isThere(path)
	if err != nil {
		return Restored{}, err
	}
	if there && !replace {
		return Restored{}, fmt.Errorf("%s: %w", path, fs.ErrExist)
	}
	if err := removeDatabase(path + newSuffix); err != nil {
		return Restored{}, err
	}
	if err := copyBackup(ctx, file, path+newSuffix); err != nil {
		return Restored{}, errors.Join(err, removeDatabase(path+newSuffix))
	}
	var done Restored
	if there {
		if done.Replaced, err = setAside(ctx, path); err != nil {
			return Restored{}, errors.Join(err, removeDatabase(path+newSuffix))
		}
	}
	return done, moveDatabase(path+newSuffix, path)
}

func isThere(path string) (bool, error) {
	switch _, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("sqlite: %w", err)
	}
	return true, nil
}

// checkBackup checks that the file can replace a folder's database.
func checkBackup(ctx context.Context, file string) error {
	if _, err := os.Stat(file); err != nil {
		return err
	}
	return onDatabase(ctx, file, func(conn *sql.Conn) error {
		if err := readableSchema(ctx, conn); err != nil {
			return err
		}
		faults, err := integrity(ctx, &reader{conn: conn})
		if err == nil && len(faults) > 0 {
			err = errDamaged
		}
		return err
	})
}

// onDatabase opens one connection to a file and runs f on it.
func onDatabase(ctx context.Context, path string, f func(*sql.Conn) error) (err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	db, err := sql.Open("sqlite", dsn(path, defaultBusyTimeout))
	if err != nil {
		return engineError(ctx, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return engineError(ctx, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return engineError(ctx, f(conn))
}

// copyBackup makes a copy that has a new identity.
func copyBackup(ctx context.Context, from, to string) error {
	in, err := os.Open(from) // #nosec G304 -- the operator names it
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	defer func() { _ = in.Close() }()                                     // opened for reading only
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // #nosec G304 -- beside the data
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	err = onDatabase(ctx, to, func(conn *sql.Conn) error {
		return execute(ctx, conn, "UPDATE meta SET value = lower(hex(randomblob(16))) WHERE name = ?", epochMark)
	})
	return errors.Join(err, syncFile(to))
}

// setAside renames a database, which may be damaged, together with SQLite's side
// files.
func setAside(ctx context.Context, path string) (aside string, err error) {
	err = onDatabase(ctx, path, func(conn *sql.Conn) error { return lockOld(ctx, conn) })
	if errors.Is(err, ErrInUse) { // in use by a program that does not know our lock file
		return "", err
	}
	aside = path + replacedSuffix
	if err := removeDatabase(aside); err != nil {
		return "", err
	}
	for _, suffix := range []string{"-wal", "-shm", "-journal", ""} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("sqlite: %w", err)
		}
	}
	return aside, nil
}
