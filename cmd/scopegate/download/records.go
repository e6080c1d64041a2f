package download

import (
	"bytes"
	"errors"
)

// Kind says what the records of a file are.
type Kind int

// The kinds.
const (
	Opaque Kind = iota // one whole: its rows cannot be told apart on the way
	Lines              // NDJSON: a JSON object a line
	Table              // CSV: a header, then a record a row (RFC 4180)
	Sheet              // CSV for spreadsheets: a Table whose cells are not all as they were
)

// maxRecord bounds what is kept of a record whose end has not come: no session
// is nearly that long, and what is no export may have no lines at all.
const maxRecord = 256 << 20

var errRecordTooLong = errors.New("a row does not end: this is no export")

// splitter cuts a stream, however it is chunked, into records with their line
// breaks.
type splitter struct {
	quoted  bool   // a line break within quotes does not end a record
	within  bool   // quotes are open
	partial []byte // a record whose end has not come yet
}

func newSplitter(kind Kind) splitter { return splitter{quoted: kind == Table || kind == Sheet} }

// split hands on every record that ends in b. The record is valid during the
// call only.
func (s *splitter) split(b []byte, each func(record []byte) error) error {
	start, next := 0, 0
	for {
		i := bytes.IndexByte(b[next:], '\n')
		if i < 0 {
			break
		}
		end := next + i + 1
		s.passQuotes(b[next:end])
		if next = end; s.within {
			continue
		}
		record := b[start:end]
		if len(s.partial) > 0 {
			s.partial = append(s.partial, record...)
			record = s.partial
		}
		start = end
		if err := each(record); err != nil {
			return err
		}
		s.partial = s.partial[:0]
	}
	s.passQuotes(b[next:])
	if len(s.partial)+len(b)-start > maxRecord {
		return errRecordTooLong
	}
	s.partial = append(s.partial, b[start:]...)
	return nil
}

// passQuotes notes whether quotes are open behind b: a quote within them is
// written twice, so an odd number opens or closes.
func (s *splitter) passQuotes(b []byte) {
	if s.quoted && bytes.Count(b, []byte{'"'})%2 == 1 {
		s.within = !s.within
	}
}
