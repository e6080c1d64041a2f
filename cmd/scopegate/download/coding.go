package download

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// gzipCoding is the one content coding that is asked for.
const gzipCoding = "gzip"

var errCoding = errors.New("the answer has a content coding that was not asked for (a proxy in between may add it)")

// decode undoes the content coding of an answer (RFC 9110, section 8.4). The
// transport could, but hides what else the header says.
//
// Errors: errCoding for any but none, identity and a single gzip.
func decode(r *http.Response) error {
	var codings []string
	for _, text := range r.Header.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(text, ",") {
			if coding = strings.ToLower(strings.TrimSpace(coding)); coding != "" && coding != "identity" {
				codings = append(codings, coding)
			}
		}
	}
	switch {
	case len(codings) == 0:
		return nil
	case len(codings) > 1 || codings[0] != gzipCoding:
		return fmt.Errorf("%w: Content-Encoding: %s", errCoding, printable(strings.Join(codings, ", ")))
	}
	r.Body = &unpacked{packed: r.Body}
	return nil
}

// unpacked is the content of a gzip body. It is at its end when the body is, so
// that trailers have come then.
type unpacked struct {
	packed io.ReadCloser
	reader *gzip.Reader // nil until the first Read: the header may not have come yet
}

// Read implements io.Reader.
func (u *unpacked) Read(b []byte) (int, error) {
	if u.reader == nil {
		reader, err := gzip.NewReader(u.packed)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // an empty body is no gzip file
		}
		if err != nil {
			return 0, err
		}
		u.reader = reader
	}
	return u.reader.Read(b)
}

// Close implements io.Closer.
func (u *unpacked) Close() error { return u.packed.Close() }
