package sqlite

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

func TestAFullDiskIsSaidInWords(t *testing.T) {
	s := openStore(t)
	// SQLite reports the same code for a full disk and for a file at its page
	// limit.
	if _, err := s.writer.conn.ExecContext(t.Context(), "PRAGMA max_page_count = 1"); err != nil {
		t.Fatal(err)
	}
	var err error
	for i := range 3000 {
		if _, err = s.Write(t.Context(), []session.Change{upsert(newSession(t, fmt.Sprintf("a-%d", i), 1, values{"name": strings.Repeat("Anna ", 100)}))}); err != nil {
			break
		}
	}
	if !errors.Is(err, search.ErrUnavailable) || !strings.HasPrefix(reason.Of(err), "the disk is full") || strings.Contains(err.Error(), "Anna") {
		t.Errorf("error %v, told as %q", err, reason.Of(err))
	}
}
