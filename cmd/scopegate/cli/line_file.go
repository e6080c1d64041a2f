package cli

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/scopegate/scopegate/plainfile"
)

// lineFile is where lines go: standard output, or a file, compressed as its name
// says.
type lineFile struct {
	io.Writer

	file       *os.File       // nil: standard output
	compressor io.WriteCloser // nil: plain
	final      string         // name that the file gets when it is whole; "": the one it has
}

// createLineFile makes the file, or empties it.
func createLineFile(name string, stdout io.Writer) (*lineFile, error) {
	if name == stdinName {
		return &lineFile{Writer: stdout}, nil
	}
	file, err := plainfile.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, err
	}
	return newLineFile(file, filepath.Ext(name))
}

// createSecretFile makes a file that only its owner can read, and that has its name
// only when it is whole. A file of that name is an error unless force is set.
func createSecretFile(name string, stdout io.Writer, force bool) (*lineFile, error) {
	if name == stdinName {
		return &lineFile{Writer: stdout}, nil
	}
	if info, err := os.Lstat(name); err == nil && (!force || !info.Mode().IsRegular()) {
		return nil, &exitError{ExitUsage, fmt.Errorf("%s: %w: name another, or overwrite a file with --force", name, fs.ErrExist)}
	}
	file, err := plainfile.Open(name+".part", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	out, err := newLineFile(file, filepath.Ext(name))
	if err == nil {
		out.final = name
	}
	return out, err
}

func newLineFile(file *os.File, extension string) (*lineFile, error) {
	out := &lineFile{Writer: file, file: file}
	switch extension {
	case ".gz":
		out.compressor = gzip.NewWriter(file)
	case ".zst":
		encoder, err := zstd.NewWriter(file)
		if err != nil {
			return nil, errors.Join(err, out.discard())
		}
		out.compressor = encoder
	}
	if out.compressor != nil {
		out.Writer = out.compressor
	}
	return out, nil
}

// Close ends the file; it is whole only if this returns nil.
func (f *lineFile) Close() error {
	var err error
	if f.compressor != nil {
		err = f.compressor.Close()
	}
	if f.file == nil {
		return err
	}
	if f.final == "" {
		return errors.Join(err, f.file.Close())
	}
	if err = errors.Join(err, f.file.Sync(), f.file.Close()); err != nil {
		return errors.Join(err, os.Remove(f.file.Name()))
	}
	return os.Rename(f.file.Name(), f.final)
}

// discard removes the file: half a file looks like a whole one. Devices and
// pipes stay.
func (f *lineFile) discard() error {
	if f.file == nil {
		return nil
	}
	info, err := f.file.Stat()
	if f.compressor != nil {
		err = errors.Join(err, f.compressor.Close())
	}
	err = errors.Join(err, f.file.Close())
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	return os.Remove(f.file.Name())
}
