package main

import (
	"errors"
	"io"
	"os"
	"strings"
)

// rejectFiles are the files that bad lines go to: one for all inputs, or one
// beside each. A file is made when its first line comes, and then replaces that
// of an earlier import.
type rejectFiles struct {
	common string // "": one beside each
	files  map[string]*rejectFile
	made   []string // paths, in order
}

func newRejectFiles(common string) *rejectFiles {
	return &rejectFiles{common: common, files: map[string]*rejectFile{}}
}

// of is where the bad lines of an input go.
func (r *rejectFiles) of(input string) io.Writer {
	path := r.common
	switch {
	case path != "":
	case input == stdinName:
		path = "scopegate-import.rejects.ndjson"
	default:
		path = input + ".rejects.ndjson"
	}
	if r.files[path] == nil {
		r.files[path] = &rejectFile{path: path, made: func() { r.made = append(r.made, path) }}
	}
	return r.files[path]
}

// String lists the files that were made.
func (r *rejectFiles) String() string { return strings.Join(r.made, ", ") }

// Close closes the files that were made.
func (r *rejectFiles) Close() error {
	var faults []error
	for _, f := range r.files {
		if f.file != nil {
			faults = append(faults, f.file.Close())
		}
	}
	return errors.Join(faults...)
}

type rejectFile struct {
	path string
	made func()
	file *os.File // nil: not made yet
}

// Write makes the file first, for its owner alone: it holds what the bad lines
// hold.
func (f *rejectFile) Write(p []byte) (int, error) {
	if f.file == nil {
		file, err := os.OpenFile(f.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return 0, err
		}
		f.file = file
		f.made()
	}
	return f.file.Write(p)
}
