package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/plainfile"
	"github.com/scopegate/scopegate/search/ingest"
)

// streamRejects is where bad lines of standard input, pipes and devices go.
const streamRejects = "scopegate-import.rejects.ndjson"

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
	path := rejectsOf(input, r.common)
	if r.files[path] == nil {
		r.files[path] = &rejectFile{path: path, made: func() { r.made = append(r.made, path) }}
	}
	return r.files[path]
}

// rejectsOf is the file that an input's bad lines go to; common is the one that
// was asked for, or "".
func rejectsOf(input, common string) string {
	switch {
	case common != "":
		return common
	case isStream(input):
		return streamRejects
	}
	return input + ".rejects.ndjson"
}

// isStream reports whether an input is none of the files that a folder holds:
// standard input, a pipe or a device, also by the names that the system gives to
// what is open, such as /dev/stdin and /dev/fd/63. Nothing can be put beside it.
func isStream(input string) bool {
	if input == stdinName {
		return true
	}
	path := filepath.ToSlash(filepath.Clean(input))
	if strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path, "/proc/") {
		return true
	}
	info, err := os.Stat(input)
	return err == nil && !info.Mode().IsRegular()
}

// checkRejects refuses to overwrite what is to be imported, and a place that is
// not there.
func checkRejects(inputs []string, common string) error {
	if common != "" {
		if info, err := os.Stat(filepath.Dir(common)); err != nil || !info.IsDir() {
			return fmt.Errorf("--rejects %s: there is no such folder", common)
		}
	}
	for _, input := range inputs {
		rejects := rejectsOf(input, common)
		if !slices.ContainsFunc(inputs, func(name string) bool { return sameFile(name, rejects) }) {
			continue
		}
		if common != "" {
			return fmt.Errorf("--rejects %s would overwrite a file that is to be imported", common)
		}
		return fmt.Errorf("the bad lines of %s would overwrite %s, which is to be imported: say with --rejects where they go", label(input), rejects)
	}
	return nil
}

func sameFile(a, b string) bool {
	one, err1 := os.Stat(a)
	other, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(one, other)
}

// rejectedError ends a command that has stored everything but what was rejected.
func rejectedError(r ingest.Report, what string, to *rejectFiles) error {
	return &exitError{ExitRejected, fmt.Errorf("%d of %d %s: see %s", r.Rejected, r.Lines, what, to)}
}

// withRejected adds to a failure what was rejected before it.
func withRejected(err error, r ingest.Report, what string, to *rejectFiles) error {
	if r.Rejected == 0 {
		return err
	}
	return fmt.Errorf("%w\n%d of %d %s: see %s", err, r.Rejected, r.Lines, what, to)
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
		file, err := plainfile.Open(f.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return 0, fmt.Errorf("%w: name another place with --rejects", err)
		}
		f.file = file
		f.made()
	}
	return f.file.Write(p)
}
