package cli

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/scopegate/scopegate/cmd/scopegate/demo"
	"github.com/scopegate/scopegate/plainfile"
)

type seedCommand struct {
	Sessions int       `default:"50000" placeholder:"N" help:"Sessions to generate (default ${default})."`
	Seed     uint64    `placeholder:"NUMBER" help:"What the data is generated from; another number makes other people. Default: the demo's."`
	Now      time.Time `placeholder:"TIME" help:"RFC 3339; the dates lie in the two years before it. Default: now."`
	Out      string    `short:"o" default:"-" placeholder:"FILE" help:"Where to write; .gz and .zst are compressed, - is standard output (default -)."`
}

// Help is shown by `scopegate seed --help`.
func (seedCommand) Help() string {
	return `Writes companies, grants and sessions as lines that ` + "`scopegate import`" + ` reads:

  scopegate seed --sessions 1000000 | scopegate import -

The first N sessions are the same whatever the number asked for, and the same as the demo's; with
--now the bytes are, too.`
}

// Run writes the lines. A file that was not written to its end is removed.
func (c seedCommand) Run(ctx context.Context, std Streams) (err error) {
	if c.Sessions < 0 {
		return &exitError{ExitUsage, errors.New("--sessions must not be negative")}
	}
	out, err := createSeedFile(c.Out, std.Out)
	if err != nil {
		return err
	}
	bar := newCountBar(std.Err, "sessions", c.Sessions)
	err = c.generator().WriteNDJSON(ctx, out, c.Sessions, func(done int) { bar.show(done, c.Sessions) })
	bar.done()
	if err != nil {
		return errors.Join(fmt.Errorf("seed: %w", err), out.discard())
	}
	return out.Close()
}

func (c seedCommand) generator() *demo.Generator {
	if c.Now.IsZero() {
		c.Now = time.Now()
	}
	if c.Seed == 0 {
		c.Seed = demo.DefaultSeed
	}
	return demo.NewGenerator(c.Seed, c.Now)
}

// seedFile is where the lines go: standard output, or a file, compressed as its
// name says.
type seedFile struct {
	io.Writer

	file       *os.File       // nil: standard output
	compressor io.WriteCloser // nil: plain
}

func createSeedFile(name string, stdout io.Writer) (*seedFile, error) {
	if name == stdinName {
		return &seedFile{Writer: stdout}, nil
	}
	file, err := plainfile.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, err
	}
	out := &seedFile{Writer: file, file: file}
	switch filepath.Ext(name) {
	case ".gz":
		out.compressor = gzip.NewWriter(file)
	case ".zst":
		if out.compressor, err = zstd.NewWriter(file); err != nil {
			return nil, errors.Join(err, out.discard())
		}
	}
	if out.compressor != nil {
		out.Writer = out.compressor
	}
	return out, nil
}

// Close ends the file; it is whole only if this returns nil.
func (f *seedFile) Close() error {
	var err error
	if f.compressor != nil {
		err = f.compressor.Close()
	}
	if f.file != nil {
		err = errors.Join(err, f.file.Close())
	}
	return err
}

// discard removes the file: half a file looks like a whole one. Devices and
// pipes stay.
func (f *seedFile) discard() error {
	if f.file == nil {
		return nil
	}
	info, err := f.file.Stat()
	err = errors.Join(err, f.Close())
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	return os.Remove(f.file.Name())
}
