package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// dataFormat is raised when the same number of sessions would be other ones.
const dataFormat = 1

// seedNow is what the generated dates run up to: the data is the same in every
// run.
const seedNow = "2026-01-01T00:00:00Z"

// imported is what is kept of an import that came to its end: the mark that its
// data is whole.
type imported struct {
	Format   int           `json:"format"`
	Sessions int           `json:"sessions"`
	Bytes    int64         `json:"bytes"` // of the sessions' lines
	Took     time.Duration `json:"took"`
}

// loader fills engines with the same sessions, unless they are there.
type loader struct {
	scopegate program
	folder    string // stored between runs
	sessions  int
	anew      bool
	progress  io.Writer
}

// load returns what each engine's import was, also one of an earlier run.
func (l loader) load(ctx context.Context, engines []engine) (_ []imported, err error) {
	if err := os.MkdirAll(l.folder, 0o700); err != nil {
		return nil, err
	}
	lines := ""
	defer func() {
		if lines != "" {
			err = errors.Join(err, os.Remove(lines))
		}
	}()
	all := make([]imported, len(engines))
	for i, e := range engines {
		found, ok, err := l.loaded(ctx, e)
		if err != nil {
			return nil, err
		}
		if !ok {
			if lines == "" {
				lines = l.path(".ndjson")
				if err := l.generate(ctx, lines); err != nil {
					return nil, fmt.Errorf("generating sessions: %w", err)
				}
			}
			if found, err = l.fill(ctx, e, lines); err != nil {
				return nil, fmt.Errorf("loading %s: %w", e.name, err)
			}
		}
		all[i] = found
	}
	return all, nil
}

func (l loader) path(suffix string) string {
	return filepath.Join(l.folder, strconv.Itoa(l.sessions)+suffix)
}

func (l loader) mark(e engine) string { return l.path("-" + strings.ToLower(e.name) + ".json") }

// loaded reports whether the engine holds the sessions, all of them.
func (l loader) loaded(ctx context.Context, e engine) (found imported, ok bool, err error) {
	text, err := os.ReadFile(l.mark(e))
	if err != nil || l.anew {
		return found, false, ignoreMissing(err)
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return found, false, err
	}
	there, err := e.documents(ctx)
	return found, there == l.sessions && found.Format == dataFormat, err
}

// generate writes the import's file. It is made before the import, so that the
// import has the machine to itself.
func (l loader) generate(ctx context.Context, name string) (err error) {
	_, _ = fmt.Fprintf(l.progress, "generating %d sessions\n", l.sessions)
	file, err := os.Create(name) //nolint:gosec // in the folder of ours
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriterSize(file, 1<<20)
	if err := writeCompanies(out); err != nil {
		return err
	}
	return l.scopegate.pipe(ctx, func(seeded io.Reader) error { return spread(out, seeded) },
		"seed", "--sessions", strconv.Itoa(l.sessions), "--now", seedNow)
}

// fill renews the engine's data and times the import.
func (l loader) fill(ctx context.Context, e engine, lines string) (imported, error) {
	_, _ = fmt.Fprintf(l.progress, "importing them into %s\n", e.name)
	if err := ignoreMissing(os.Remove(l.mark(e))); err != nil {
		return imported{}, err
	}
	if err := e.renew(ctx); err != nil {
		return imported{}, err
	}
	info, err := os.Stat(lines)
	if err != nil {
		return imported{}, err
	}
	began := time.Now()
	if err := l.scopegate.run(ctx, with(e.settings, "import", lines)...); err != nil {
		return imported{}, err
	}
	done := imported{Format: dataFormat, Sessions: l.sessions, Bytes: info.Size(), Took: time.Since(began)}
	text, err := json.Marshal(done)
	if err != nil {
		return imported{}, err
	}
	return done, os.WriteFile(l.mark(e), text, 0o600)
}
