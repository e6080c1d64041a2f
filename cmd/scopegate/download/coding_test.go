package download

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestACodingThatWasNotAskedForIsRefused: what is packed cannot be told from
// what is broken, in a workbook or an archive least of all.
func TestACodingThatWasNotAskedForIsRefused(t *testing.T) {
	for name, codings := range map[string][]string{
		"brotli": {"br"}, "deflate": {"deflate"}, "zstd": {"zstd"}, "the old name of gzip": {"x-gzip"}, "gzip twice": {"gzip", "gzip"},
		"two": {"gzip, br"}, "two headers": {"gzip", "br"}, "two behind identity": {"identity", "br"},
	} {
		for _, format := range []string{"CSV", "NDJSON", "XLSX"} {
			t.Run(name+" of "+format, func(t *testing.T) {
				g := newFake(t, hardRows()...)
				g.header = func(h http.Header) { h["Content-Encoding"] = codings }
				o := options(t, format)
				if _, err := g.client(t).Fetch(t.Context(), o); !errors.Is(err, errCoding) {
					t.Error(err)
				}
				checkFolder(t, o.Path, map[string]string{})
			})
		}
	}
	t.Run("identity is none", func(t *testing.T) {
		g := newFake(t, hardRows()...)
		g.header = func(h http.Header) { h["Content-Encoding"] = []string{"Identity", ""} }
		if _, err := g.client(t).Fetch(t.Context(), options(t, "XLSX")); err != nil {
			t.Error(err)
		}
	})
	t.Run("an error page keeps its status", func(t *testing.T) {
		g := newFake(t)
		g.first = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			w.WriteHeader(http.StatusBadGateway)
		}
		var said *AnswerError
		if _, err := g.client(t).Fetch(t.Context(), options(t, "CSV")); !errors.As(err, &said) || said.Status != http.StatusBadGateway {
			t.Error(err)
		}
	})
}

// TestCountsThatDifferAreNoAnnouncement of how many rows match.
func TestCountsThatDifferAreNoAnnouncement(t *testing.T) {
	g := newFake(t, hardRows()...)
	g.header = func(h http.Header) { h["X-Total-Count"] = []string{"4", "9"} }
	o := options(t, "CSV")
	if _, err := g.client(t).Fetch(t.Context(), o); !errors.Is(err, errNoExport) {
		t.Error(err)
	}
	checkFolder(t, o.Path, map[string]string{})
}

// TestAPackedBodyThatIsNotOneGzipFileIsBroken, wherever it is cut and whatever
// stands behind it.
func TestAPackedBodyThatIsNotOneGzipFileIsBroken(t *testing.T) {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = io.WriteString(writer, "an export")
	_ = writer.Close()
	read := func(body string) (string, error) {
		r := &http.Response{Header: http.Header{"Content-Encoding": {"gzip"}}, Body: io.NopCloser(strings.NewReader(body))}
		if err := decode(r); err != nil {
			return "", err
		}
		text, err := io.ReadAll(r.Body)
		return string(text), err
	}
	whole := packed.String()
	if text, err := read(whole); err != nil || text != "an export" {
		t.Errorf("%q, %v", text, err)
	}
	for at := range len(whole) {
		if text, err := read(whole[:at]); err == nil {
			t.Errorf("cut at %d: %q", at, text)
		}
	}
	if text, err := read(whole + "junk"); err == nil {
		t.Errorf("junk behind it: %q", text)
	}
}
