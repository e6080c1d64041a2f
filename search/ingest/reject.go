package ingest

import (
	"encoding/json"
	"fmt"
	"io"
)

// reject is a bad line as it is written to Options.Rejects, the only place
// where its text may go.
type reject struct {
	File   string `json:"file,omitempty"`
	Line   int64  `json:"line"`
	Reason string `json:"reason"`
	Text   string `json:"text"` // bytes that are not UTF-8 become U+FFFD
}

// rejects writes bad lines as NDJSON.
type rejects struct {
	file string
	to   io.Writer
}

func (r rejects) write(l line, reason error) error {
	if r.to == nil {
		return nil
	}
	out := json.NewEncoder(r.to)
	out.SetEscapeHTML(false)
	err := out.Encode(reject{File: r.file, Line: l.number, Reason: reason.Error(), Text: string(l.text)})
	if err != nil {
		return fmt.Errorf("writing the rejected lines: %w", err)
	}
	return nil
}
