package ingest

import (
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

// reject is a bad line in the form for Options.Rejects, the only place where its
// text may go.
type reject struct {
	File   string `json:"file,omitempty"`
	Line   int64  `json:"line"`
	Reason string `json:"reason"`
	Text   string `json:"text,omitempty"`   // never empty: blank lines are not read
	Base64 []byte `json:"base64,omitempty"` // the bytes of a line that is not UTF-8
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
	bad := reject{File: r.file, Line: l.number, Reason: reason.Error()}
	if notUTF8(l.text) >= 0 {
		bad.Base64 = l.text
	} else {
		bad.Text = string(l.text)
	}
	return writeReject(r.to, bad)
}

func writeReject(to io.Writer, bad any) error {
	out := json.NewEncoder(to)
	out.SetEscapeHTML(false)
	if err := out.Encode(bad); err != nil {
		return fmt.Errorf("writing what is rejected: %w", err)
	}
	return nil
}

// notUTF8 returns the index of the first invalid UTF-8, -1 if there is none.
func notUTF8(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	at := 0
	for {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
}
