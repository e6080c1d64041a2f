package download

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// What cannot be done with the files there are.
var (
	// ErrExists marks a file that would be overwritten.
	ErrExists = errors.New("is there already")
	// ErrOtherQuestion marks a part that is not one of what is asked for.
	ErrOtherQuestion = errors.New("cannot be gone on with")
)

// partOf is where a file grows, and noteOf what says whose answer it is.
func partOf(path string) string { return path + ".part" }
func noteOf(path string) string { return path + ".part.json" }

// note is what is known of a part besides its bytes.
type note struct {
	Question  string `json:"question"`  // its digest
	Snapshots int    `json:"snapshots"` // that its rows are of
}

// part is a file that is not whole yet.
type part struct {
	path string // of the whole file
	file *os.File
	note note
}

// createPart begins a file, for its owner alone: it holds personal data.
func createPart(path, digest string, force bool) (*part, error) {
	if force {
		if err := os.Remove(partOf(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	file, err := os.OpenFile(partOf(path), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // #nosec G304 -- the user names it
	if err != nil {
		return nil, err
	}
	p := &part{path: path, file: file, note: note{Question: digest}}
	if err := p.countSnapshot(); err != nil {
		return nil, errors.Join(err, p.discard())
	}
	return p, nil
}

// openPart finds a file that was begun, reads what is there into the tally, and
// cuts off what is torn.
//
// Errors: fs.ErrNotExist, ErrOtherQuestion.
func openPart(path, digest string, t *tally) (_ *part, err error) {
	file, err := os.OpenFile(partOf(path), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	p := &part{path: path, file: file}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	if err := p.readNote(digest); err != nil {
		return nil, err
	}
	if err := p.read(t); err != nil {
		return nil, fmt.Errorf("%s: %w", partOf(path), err)
	}
	return p, p.cut(t.bytes)
}

func (p *part) readNote(digest string) error {
	text, err := os.ReadFile(noteOf(p.path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s %w: %s, which says what it is a part of, is not there", partOf(p.path), ErrOtherQuestion, noteOf(p.path))
	case err != nil:
		return err
	case json.Unmarshal(text, &p.note) != nil:
		return fmt.Errorf("%s %w: %s is broken", partOf(p.path), ErrOtherQuestion, noteOf(p.path))
	case p.note.Question != digest:
		return fmt.Errorf("%s %w: it was asked for with other filters, fields or format", partOf(p.path), ErrOtherQuestion)
	}
	return nil
}

// read takes the whole file in.
func (p *part) read(t *tally) error {
	chunk := make([]byte, chunkSize)
	for {
		n, err := p.file.Read(chunk)
		if err := t.take(chunk[:n], func([]byte) error { return nil }); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// cut leaves so many bytes, to be written behind.
func (p *part) cut(size int64) error {
	if err := p.file.Truncate(size); err != nil {
		return err
	}
	_, err := p.file.Seek(size, io.SeekStart)
	return err
}

// countSnapshot notes that rows of one more are about to come.
func (p *part) countSnapshot() error {
	p.note.Snapshots++
	text, err := json.Marshal(p.note)
	if err != nil {
		return err
	}
	// In two steps: a note that is broken would keep the part from being resumed.
	next := noteOf(p.path) + ".new"
	if err := os.WriteFile(next, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, noteOf(p.path))
}

// finish makes the part the file. Once it returns nil, the file is there also
// when the machine stops.
func (p *part) finish(force bool) error {
	if err := errors.Join(p.file.Sync(), p.file.Close()); err != nil {
		return err
	}
	if err := checkTarget(p.path, force); err != nil {
		return err
	}
	if err := os.Rename(partOf(p.path), p.path); err != nil {
		return err
	}
	return errors.Join(os.Remove(noteOf(p.path)), syncFolder(filepath.Dir(p.path)))
}

func syncFolder(path string) error {
	folder, err := os.Open(path) // #nosec G304 -- the user names it
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// discard leaves nothing.
func (p *part) discard() error {
	err := errors.Join(p.file.Close(), os.Remove(partOf(p.path)))
	if gone := os.Remove(noteOf(p.path)); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// checkTarget looks whether the file may come to be there.
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
		return fmt.Errorf("%s %w, and is no plain file", path, ErrExists)
	case !force:
		return fmt.Errorf("%s %w; --force overwrites it", path, ErrExists)
	}
	return nil
}

// checkNoPart looks whether a part is in the way.
//
// Errors: ErrExists.
func checkNoPart(path string) error {
	if _, err := os.Lstat(partOf(path)); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fmt.Errorf("%s %w, of an export that was broken off; --resume goes on behind it, --force begins anew", partOf(path), ErrExists))
	}
	return nil
}

// buffer holds the records of one chunk, so that they are written together.
type buffer struct {
	bytes.Buffer

	to io.Writer
}

func (b *buffer) flush() error {
	_, err := b.WriteTo(b.to)
	return err
}
