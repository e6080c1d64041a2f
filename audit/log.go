package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/scopegate/scopegate/plainfile"
)

// Options say where lines go.
type Options struct {
	// Path is the file they are appended to; made, for its owner only, when it
	// is missing. "": to Writer instead.
	Path   string
	Writer io.Writer
	Now    func() time.Time // nil: time.Now
}

// Log takes events. It is safe for use by several goroutines, and its file for
// use by several processes: a line is one write at the file's end.
type Log struct {
	path string
	now  func() time.Time

	mu   sync.Mutex
	to   io.Writer
	file *os.File // nil: to is not ours
	torn bool     // the last line was cut off
}

// Open opens the file, so that an action that could not be recorded is not
// begun. Errors are those of the file system.
func Open(o Options) (*Log, error) {
	l := &Log{path: o.Path, now: o.Now, to: o.Writer}
	if l.now == nil {
		l.now = time.Now
	}
	if l.path == "" {
		if l.to == nil {
			return nil, errors.New("audit: neither a file nor a writer was given")
		}
		return l, nil
	}
	return l, l.open()
}

func (l *Log) open() error {
	file, err := plainfile.Open(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	l.file, l.to = file, file
	return nil
}

// Write appends a line for each event, in order. When it returns without an
// error, all of them are on disk. It does not give up when ctx ends: what has
// been done is to be recorded. When it fails, lines before the failure are
// written.
func (l *Log) Write(ctx context.Context, events ...Event) error {
	ctx = context.WithoutCancel(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.follow(); err != nil {
		return err
	}
	at := l.now()
	for _, e := range events {
		if err := l.append(ctx, e, at); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	return l.sync()
}

// append writes a line at once. What comes behind a line that was cut off, by a
// full disk for one, starts a line of its own.
func (l *Log) append(ctx context.Context, e Event, at time.Time) error {
	line, err := e.line(ctx, at)
	if err != nil {
		return err
	}
	if l.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := l.to.Write(line)
	if n > 0 {
		l.torn = err != nil
	}
	return err
}

// follow opens the path again when another file, or none, has taken the place of
// ours: that is how logs are rotated.
func (l *Log) follow() error {
	if l.path == "" {
		return nil
	}
	if l.file == nil {
		return fmt.Errorf("audit: %w", os.ErrClosed)
	}
	ours, err := l.file.Stat()
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	there, err := os.Stat(l.path)
	switch {
	case err == nil && os.SameFile(ours, there):
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("audit: %w", err)
	}
	old := l.file
	if err := l.open(); err != nil {
		return err
	}
	l.torn = false
	return old.Close() // all of it is on disk
}

// sync brings a file to disk; pipes and terminals have none.
func (l *Log) sync() error {
	if l.file == nil {
		return nil
	}
	info, err := l.file.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = l.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// Close closes the file. A Write afterwards is an error.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	file := l.file
	l.file = nil
	return file.Close()
}
