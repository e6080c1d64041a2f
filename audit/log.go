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

// Options configure where lines are written.
type Options struct {
	// Path is the file that lines are appended to. A missing file is created, for
	// its owner only. "": lines go to Writer instead.
	Path   string
	Writer io.Writer
	Now    func() time.Time // nil: time.Now
}

// Log writes events. It is safe for use by several goroutines, and its file by
// several processes: each line is a single write at the end of the file.
type Log struct {
	path string
	now  func() time.Time

	mu   sync.Mutex
	to   io.Writer
	file *os.File // nil: to belongs to the caller
	torn bool     // the last line is incomplete
}

// Open opens the file. Call it before an action, so that an action that cannot be
// recorded is not begun. Errors are those of the file system.
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

// Write appends a line for each event, in order. When it returns without an error,
// all of them are on disk. It continues when ctx ends, since what was done must be
// recorded. When it fails, the lines before the failure are written.
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

// append writes a line with one write. After an incomplete line, for example
// because of a full disk, it begins a new line.
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

// follow opens the path again when our file was replaced or removed: log rotation
// does that.
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

// sync flushes a file to disk; pipes and terminals do not support it.
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

// Close closes the file. A later Write fails.
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
