package download

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// partOf is where a file grows, noteOf says what it is the answer to, and
// nextNoteOf is a note that is not in force yet.
func partOf(path string) string     { return path + ".part" }
func noteOf(path string) string     { return path + ".part.json" }
func nextNoteOf(path string) string { return noteOf(path) + ".new" }

// checkPlain is nil for a regular file that has one name. What is written
// through a link of either kind changes a file that the user did not name.
//
// Errors: ErrExists.
func checkPlain(path string, info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s %w, and is no regular file (links are not followed); remove it, or name another file", path, ErrExists)
	case linked(info):
		return fmt.Errorf("%s %w, and has a second name (a hard link); remove it, or name another file", path, ErrExists)
	}
	return nil
}

// openPlain opens a file that is there, and follows no link. It changes nothing.
//
// Errors: fs.ErrNotExist, ErrExists.
func openPlain(path string, flag int) (*os.File, error) {
	seen, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if err := checkPlain(path, seen); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, flag|noFollow, 0) // #nosec G304 -- the user names it
	if err != nil {
		return nil, err
	}
	opened, err := file.Stat()
	if err == nil && !os.SameFile(seen, opened) {
		err = fmt.Errorf("%s was replaced meanwhile", path)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// createPlain creates a file that is not there, for its owner alone: it holds
// personal data, or what was asked for.
func createPlain(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR|noFollow, 0o600) // #nosec G304 -- the user names it
}

// checkOwn looks whether the files beside the one of path, as far as they are
// there, may be written.
//
// Errors: ErrExists.
func checkOwn(path string) error {
	for _, own := range []string{partOf(path), noteOf(path), nextNoteOf(path)} {
		info, err := os.Lstat(own)
		if err == nil {
			err = checkPlain(own, info)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// checkTarget looks whether the file may come to be there. It is replaced by
// another, and not written to: further names of a file that is overwritten keep
// what they had.
//
// Errors: ErrExists.
func checkTarget(path string, force bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s %w, and is no regular file (links are not followed)", path, ErrExists)
	case !force:
		return fmt.Errorf("%s %w; --force overwrites it", path, ErrExists)
	}
	return nil
}

// checkNoPart looks whether a part with something in it is in the way.
//
// Errors: ErrExists.
func checkNoPart(path string) error {
	info, err := os.Lstat(partOf(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Size() > 0:
		return fmt.Errorf("%s %w, of an export that was broken off; --resume goes on behind it, --force begins anew", partOf(path), ErrExists)
	}
	return nil
}

// remove removes a file if it is there.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func syncFolder(path string) error {
	folder, err := os.Open(path) // #nosec G304 -- the user names it
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
