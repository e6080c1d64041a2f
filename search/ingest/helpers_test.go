package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/scopegate/scopegate/session"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a session.Writer that records what was written.
type store struct {
	mu      sync.Mutex
	batches [][]session.Change
	before  func(ctx context.Context, batch int) error // may fail; batch counts from 1, retries included
	tries   int
	refuses func(session.Change) bool // as an engine that cannot store a record; nil: refuses none
}

func (s *store) Write(ctx context.Context, changes []session.Change) (session.Written, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if s.before != nil {
		if err := s.before(ctx, s.tries); err != nil {
			return session.Written{}, err
		}
	}
	var stored []session.Change
	var refused session.RefusedError
	var w session.Written
	for i, c := range changes {
		if s.refuses != nil && s.refuses(c) {
			refused.Refused = append(refused.Refused, session.Refusal{Change: i, Reason: "the store refuses it"})
			continue
		}
		stored = append(stored, c)
		switch {
		case !c.Delete:
			w.Upserted++
		case c.SessionID == "absent":
			w.Missing++
		default:
			w.Deleted++
		}
	}
	s.batches = append(s.batches, stored)
	if len(refused.Refused) > 0 {
		return w, &refused
	}
	return w, nil
}

// ids lists the ids of the written sessions in order, with deletes marked.
func (s *store) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, batch := range s.batches {
		for _, c := range batch {
			if c.Delete {
				ids = append(ids, "-"+c.SessionID)
			} else {
				ids = append(ids, c.Session.ID())
			}
		}
	}
	return ids
}

// sessionDoc returns a session with the required fields only.
func sessionDoc(id string) string {
	return fmt.Sprintf(`{"id":%q,"companyId":1}`, id)
}

func upsertLine(id string) string { return `{"type":"session","doc":` + sessionDoc(id) + `}` }

func deleteLine(id string) string {
	return fmt.Sprintf(`{"type":"session","op":"delete","doc":{"id":%q}}`, id)
}

// sessionLines returns n upserts, s1 to sn.
func sessionLines(n int) (text string, ids []string) {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		id := fmt.Sprintf("s%d", i)
		ids = append(ids, id)
		b.WriteString(upsertLine(id) + "\n")
	}
	return b.String(), ids
}

func sourceOf(t *testing.T, text string) *Source {
	t.Helper()
	return sourceFrom(t, "test", strings.NewReader(text))
}

func sourceFrom(t *testing.T, name string, from io.Reader) *Source {
	t.Helper()
	s, err := NewSource(name, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// rejected reads the lines that were written to Options.Rejects.
func rejected(t *testing.T, from *bytes.Buffer) []reject {
	t.Helper()
	list, err := readRejects(from)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func readRejects(from *bytes.Buffer) (list []reject, err error) {
	decoder := json.NewDecoder(from)
	for decoder.More() {
		var r reject
		if err := decoder.Decode(&r); err != nil {
			return list, err
		}
		list = append(list, r)
	}
	return list, nil
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	return closed(t, w, &b, text)
}

func zstandard(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return closed(t, w, &b, text)
}

func closed(t *testing.T, w io.WriteCloser, b *bytes.Buffer, text string) []byte {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
