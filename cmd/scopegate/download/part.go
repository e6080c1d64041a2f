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
	// ErrExists marks a file that would be overwritten, or written through a link.
	ErrExists = errors.New("is there already")
	// ErrOtherExport marks a part that is not one of what is asked for: it is of
	// another query, gateway or account, or does not say of which.
	ErrOtherExport = errors.New("cannot be gone on with")
)

// part is a file that is not whole yet, with its note.
type part struct {
	path   string // of the whole file
	file   *os.File
	note   note
	begun  bool // false: file is nil, and what is there is of somebody else's export
	before bool // it was there before
	staged bool // the note of one snapshot more is there, and not in force
}

// newPart makes the place for a file before anything is asked for, so that a
// name or folder that cannot be is told first. What is there already stays as it
// is until there is an answer: see begin.
func newPart(path string, requested note) (*part, error) {
	p := &part{path: path, note: requested}
	if err := p.stage(); err != nil {
		return nil, errors.Join(err, p.drop())
	}
	for _, old := range []string{partOf(path), noteOf(path)} {
		if _, err := os.Lstat(old); !errors.Is(err, fs.ErrNotExist) {
			return p, nil
		}
	}
	if err := p.begin(); err != nil {
		return nil, errors.Join(err, p.drop())
	}
	return p, nil
}

// begin replaces what is there by an empty part. The note comes first: a part
// without one cannot be gone on with.
func (p *part) begin() (err error) {
	if p.begun {
		return nil
	}
	if err := remove(partOf(p.path)); err != nil {
		return err
	}
	if err := p.countSnapshot(); err != nil {
		return err
	}
	if p.file, err = createPlain(partOf(p.path)); err != nil {
		return errors.Join(err, remove(noteOf(p.path)))
	}
	p.begun = true
	return nil
}

// openPart finds a file that was begun, and reads what is there into the tally.
// It changes nothing.
//
// Errors: fs.ErrNotExist, ErrExists, ErrOtherExport, ErrNotResumable.
func openPart(path string, requested note, t *tally) (_ *part, err error) {
	file, err := openPlain(partOf(path), os.O_RDWR)
	if err != nil {
		return nil, err
	}
	p := &part{path: path, file: file, begun: true, before: true}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	if p.note, err = readNote(path); err != nil {
		return nil, err
	}
	if err := p.note.check(path, requested); err != nil {
		return nil, err
	}
	if err := p.read(t); err != nil {
		return nil, err
	}
	return p, nil
}

// read takes the whole file in.
func (p *part) read(t *tally) error {
	chunk := make([]byte, chunkSize)
	for {
		n, err := p.file.Read(chunk)
		if err := t.take(chunk[:n], func([]byte) error { return nil }); err != nil {
			return fmt.Errorf("%s %w: %w", partOf(p.path), ErrNotResumable, err)
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

// stage writes the note of one snapshot more beside the one in force. In two
// steps: a note that is broken would keep the part from being resumed.
func (p *part) stage() error {
	next := p.note
	next.Snapshots++
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := remove(nextNoteOf(p.path)); err != nil { // of a process that was killed
		return err
	}
	file, err := createPlain(nextNoteOf(p.path))
	if err != nil {
		return err
	}
	p.staged = true
	_, err = file.Write(append(text, '\n'))
	return errors.Join(err, file.Close())
}

// countSnapshot puts what was staged in force: rows of one snapshot more are
// about to come.
func (p *part) countSnapshot() error {
	if err := os.Rename(nextNoteOf(p.path), noteOf(p.path)); err != nil {
		return err
	}
	p.staged = false
	p.note.Snapshots++
	return nil
}

func (p *part) unstage() error {
	if !p.staged {
		return nil
	}
	p.staged = false
	return os.Remove(nextNoteOf(p.path))
}

// finish makes the part the file. Once it returns nil, the file is there also
// when the machine stops.
func (p *part) finish(force bool) error {
	if err := errors.Join(remove(nextNoteOf(p.path)), p.file.Sync(), p.file.Close()); err != nil {
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

// suspend closes the part as it is.
func (p *part) suspend() error { return errors.Join(p.unstage(), p.file.Close()) }

// discard leaves nothing.
func (p *part) discard() error {
	return errors.Join(p.file.Close(), os.Remove(partOf(p.path)), remove(noteOf(p.path)), remove(nextNoteOf(p.path)))
}

// drop undoes what was made before there was an answer: files that were there
// are as they were.
func (p *part) drop() error {
	switch {
	case p == nil:
		return nil
	case p.before:
		return p.suspend()
	case p.begun:
		return p.discard()
	}
	return p.unstage()
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
