package ingest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/session"

	"github.com/google/go-cmp/cmp"
)

func TestEachHandsOverEveryLineInOrder(t *testing.T) {
	var got []string
	err := Each(t.Context(), sourceOf(t, "\n"+upsertLine("s1")+"\r\n\n"+upsertLine("s2")), func(c session.Change) error {
		got = append(got, c.Session.ID())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"s1", "s2"}, got); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}

func TestEachStopsAtTheFirstFaultAndNamesItsLine(t *testing.T) {
	unwanted := errors.New("unwanted")
	for name, tt := range map[string]struct {
		text string
		fail error
		is   error
		says string
	}{
		"a bad line":       {upsertLine("s1") + "\n\nbad\n" + upsertLine("s2"), nil, ErrLine, "line 3: "},
		"a line too long":  {upsertLine("s1") + "\n" + strings.Repeat("x", MaxLine+1), nil, ErrLine, "line 2: "},
		"an unwanted line": {"\n" + upsertLine("s1"), unwanted, unwanted, "line 2: "},
	} {
		t.Run(name, func(t *testing.T) {
			seen := 0
			err := Each(t.Context(), sourceOf(t, tt.text), func(session.Change) error { seen++; return tt.fail })
			if !errors.Is(err, tt.is) || !strings.HasPrefix(err.Error(), tt.says) || seen != 1 {
				t.Errorf("after %d lines: %v, want %q", seen, err, tt.says)
			}
		})
	}
}

func TestEachEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := Each(ctx, sourceOf(t, upsertLine("s1")+"\n"+upsertLine("s2")), func(session.Change) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestEachReportsAnInputThatBreaksOff(t *testing.T) {
	broken := errors.New("broken")
	source := sourceFrom(t, "test", &brokenReader{text: upsertLine("s1") + "\n" + `{"type"`, err: broken})
	if err := Each(t.Context(), source, func(session.Change) error { return nil }); !errors.Is(err, broken) || !strings.Contains(err.Error(), "after line 1") {
		t.Errorf("error %v", err)
	}
}

// brokenReader fails after its text.
type brokenReader struct {
	text string
	err  error
}

func (r *brokenReader) Read(p []byte) (int, error) {
	if r.text == "" {
		return 0, r.err
	}
	n := copy(p, r.text)
	r.text = r.text[n:]
	return n, nil
}
