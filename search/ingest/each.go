package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/scopegate/scopegate/session"
)

// Each hands over the change of every line of the source that is not blank, in
// order, and writes nothing itself: for what has to be seen whole before any of
// it is stored. The first error ends it and is returned with the line's number:
// those of Decode, f's, the source's,
// ndjson.ErrFormat, or ctx's.
func Each(ctx context.Context, source *Source, f func(session.Change) error) error {
	lines := newLineReader(source)
	for {
		l, err := lines.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return lines.fault(err)
		case ctx.Err() != nil:
			return ctx.Err()
		case l.blank():
			continue
		}
		change, err := l.decode("")
		if err == nil {
			err = f(change)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", l.number, err)
		}
	}
}
