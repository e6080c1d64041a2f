package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/ndjson"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

func TestEveryLineIsWrittenInOrder(t *testing.T) {
	text, ids := sessionLines(2500)
	for name, o := range map[string]Options{
		"defaults":        {},
		"small batches":   {BatchLines: 7},
		"single lines":    {BatchLines: 1},
		"bounded by size": {BatchBytes: 500},
	} {
		t.Run(name, func(t *testing.T) {
			var to store
			report, err := Run(t.Context(), &to, sourceOf(t, text), o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Report{Lines: 2500, Upserted: 2500}, report); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(ids, to.ids()); diff != "" {
				t.Errorf("written (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBatchesAreBounded(t *testing.T) {
	text, _ := sessionLines(100)
	for name, tt := range map[string]struct {
		options Options
		most    int
	}{
		"by lines": {Options{BatchLines: 30}, 30},
		"by bytes": {Options{BatchBytes: 200}, 4}, // lines have about 52 bytes
	} {
		t.Run(name, func(t *testing.T) {
			var to store
			if _, err := Run(t.Context(), &to, sourceOf(t, text), tt.options); err != nil {
				t.Fatal(err)
			}
			for _, batch := range to.batches {
				if len(batch) > tt.most {
					t.Errorf("a batch of %d, want at most %d", len(batch), tt.most)
				}
			}
		})
	}
}

func TestALineAloneMayOutweighABatch(t *testing.T) {
	var to store
	text := `{"id":"s1","companyId":1,"name":"` + strings.Repeat("n", 900) + `"}` + "\n" + sessionDoc("s2")
	if _, err := Run(t.Context(), &to, sourceOf(t, text), Options{Type: TypeSession, BatchBytes: 10}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"s1", "s2"}, to.ids()); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

func TestDeletesAreCountedByWhatTheyDid(t *testing.T) {
	var to store
	text := upsertLine("s1") + "\n" + deleteLine("s1") + "\n" + deleteLine("absent") + "\n"
	report, err := Run(t.Context(), &to, sourceOf(t, text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Report{Lines: 3, Upserted: 1, Deleted: 1, Missing: 1}, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"s1", "-s1", "-absent"}, to.ids()); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

func TestInputsWithoutLines(t *testing.T) {
	for _, text := range []string{"", "\n", "\uFEFF", " \r\n\t\n"} {
		var to store
		report, err := Run(t.Context(), &to, sourceOf(t, text), Options{})
		if err != nil || report != (Report{}) || to.tries != 0 {
			t.Errorf("%q: %+v, %v, %d writes", text, report, err, to.tries)
		}
	}
}

func TestABadLineIsRejectedAndTheRestWritten(t *testing.T) {
	var to store
	var bad bytes.Buffer
	text := "\uFEFF" + upsertLine("s1") + "\r\n\r\n" + "<broken & bad>\n" + upsertLine("s2") + "\n" + strings.Repeat("x", MaxLine+1) + "\n" + upsertLine("s3")
	report, err := Run(t.Context(), &to, sourceOf(t, text), Options{Rejects: &bad, RejectsName: "in.ndjson"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Report{Lines: 5, Upserted: 3, Rejected: 2}, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"s1", "s2", "s3"}, to.ids()); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	if !strings.Contains(bad.String(), "<broken & bad>") {
		t.Error("the line is not as it was")
	}
	want := []reject{
		{File: "in.ndjson", Line: 3, Reason: "invalid line: not JSON, near byte 0", Text: "<broken & bad>"},
		{File: "in.ndjson", Line: 5, Reason: fmt.Sprintf("invalid line: longer than %d bytes; this is its beginning", MaxLine), Text: strings.Repeat("x", maxRejectedText)},
	}
	if diff := cmp.Diff(want, rejected(t, &bad)); diff != "" {
		t.Errorf("rejects (-want +got):\n%s", diff)
	}
}

func TestRejectsMayGoNowhere(t *testing.T) {
	var to store
	report, err := Run(t.Context(), &to, sourceOf(t, "bad\n"), Options{})
	if err != nil || report != (Report{Lines: 1, Rejected: 1}) {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestAStrictRunStopsAtTheFirstBadLine(t *testing.T) {
	for name, batch := range map[string]int{"within a batch": 100, "among batches": 2} {
		t.Run(name, func(t *testing.T) {
			var to store
			var bad bytes.Buffer
			text := upsertLine("s1") + "\n\n" + upsertLine("s2") + "\n" + upsertLine("s3") + "\nbad 1\n" + upsertLine("s4") + "\nbad 2\n"
			report, err := Run(t.Context(), &to, sourceOf(t, text), Options{Strict: true, BatchLines: batch, Rejects: &bad})
			if !errors.Is(err, ErrRejected) || !errors.Is(err, ErrLine) || !strings.Contains(err.Error(), "line 5") || strings.Contains(err.Error(), "bad 1") {
				t.Errorf("Run: %v", err)
			}
			if diff := cmp.Diff(Report{Lines: 4, Upserted: 3, Rejected: 1}, report); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"s1", "s2", "s3"}, to.ids()); diff != "" {
				t.Errorf("written (-want +got):\n%s", diff)
			}
			if list := rejected(t, &bad); len(list) != 1 || list[0].Line != 5 {
				t.Errorf("rejects %+v", list)
			}
		})
	}
}

func TestAnUnknownTypeIsRefused(t *testing.T) {
	var to store
	if _, err := Run(t.Context(), &to, sourceOf(t, upsertLine("s1")), Options{Type: "user"}); err == nil || to.tries != 0 {
		t.Errorf("Run: %v, %d writes", err, to.tries)
	}
}

func TestABusyStoreIsTriedAgain(t *testing.T) {
	text, ids := sessionLines(3)
	source := sourceOf(t, text)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		to := store{before: func(_ context.Context, try int) error {
			if try <= 3 {
				return fmt.Errorf("busy: %w", search.ErrUnavailable)
			}
			return nil
		}}
		report, err := Run(t.Context(), &to, source, Options{Backoff: time.Second})
		if err != nil || report.Upserted != 3 {
			t.Errorf("%+v, %v", report, err)
		}
		if diff := cmp.Diff(ids, to.ids()); diff != "" {
			t.Errorf("written (-want +got):\n%s", diff)
		}
		if took := time.Since(start); took != 7*time.Second {
			t.Errorf("the pauses were %v, want 1 + 2 + 4 s", took)
		}
	})
}

func TestAFailedWriteReportsWhichLinesAreDone(t *testing.T) {
	full := errors.New("disk full")
	for name, tt := range map[string]struct {
		fault error
		tries int
	}{
		"for good":             {full, 3},                      // two batches and the failing one
		"unavailable for long": {search.ErrUnavailable, 2 + 4}, // two batches and all attempts
	} {
		t.Run(name, func(t *testing.T) {
			text, ids := sessionLines(50)
			source := sourceOf(t, "\n"+text)
			synctest.Test(t, func(t *testing.T) {
				to := store{before: func(_ context.Context, try int) error {
					if try > 2 {
						return tt.fault
					}
					return nil
				}}
				report, err := Run(t.Context(), &to, source, Options{BatchLines: 10, Attempts: 4})
				var failed *WriteError
				if !errors.As(err, &failed) || !errors.Is(err, tt.fault) {
					t.Fatalf("Run: %v", err)
				}
				if failed.First != 22 || failed.Last != 31 || !strings.Contains(err.Error(), "lines 22 to 31") {
					t.Errorf("Run: %v", err)
				}
				if report != (Report{Lines: 20, Upserted: 20}) || to.tries != tt.tries {
					t.Errorf("%+v, %d tries", report, to.tries)
				}
				if diff := cmp.Diff(ids[:20], to.ids()); diff != "" {
					t.Errorf("written (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAnInterruptedRunFinishesItsBatch(t *testing.T) {
	text, ids := sessionLines(100)
	source := sourceOf(t, text)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	to := store{before: func(ctx context.Context, try int) error {
		if try == 3 {
			cancel()
		}
		return ctx.Err() // a write that has begun is not interrupted
	}}
	report, err := Run(ctx, &to, source, Options{BatchLines: 10})
	if !errors.Is(err, context.Canceled) || report != (Report{Lines: 30, Upserted: 30}) {
		t.Errorf("%+v, %v", report, err)
	}
	if diff := cmp.Diff(ids[:30], to.ids()); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

func TestAnInterruptEndsThePauseOfABusyStore(t *testing.T) {
	text, _ := sessionLines(3)
	source := sourceOf(t, text)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		to := store{before: func(context.Context, int) error { return search.ErrUnavailable }}
		start := time.Now()
		_, err := Run(ctx, &to, source, Options{Backoff: time.Hour})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, search.ErrUnavailable) || time.Since(start) != time.Second {
			t.Errorf("Run: %v after %v", err, time.Since(start))
		}
	})
}

func TestAnInterruptDoesNotWaitForInput(t *testing.T) {
	from, to := io.Pipe()
	defer func() { _ = to.Close() }()                                // lets the reader end; it cannot fail
	go func() { _, _ = io.WriteString(to, upsertLine("s1")+"\n") }() // and nothing more
	source := sourceFrom(t, "pipe", from)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, &store{}, source, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
}

func TestABrokenInputIsWrittenUpToTheBreak(t *testing.T) {
	text, ids := sessionLines(25)
	broken := errors.New("broken")
	packed := gzipped(t, text)
	for name, tt := range map[string]struct {
		from io.Reader
		want error
	}{
		"text": {io.MultiReader(strings.NewReader(text+`{"type":`), iotest.ErrReader(broken)), broken},
		"gzip": {io.MultiReader(bytes.NewReader(packed[:len(packed)-8])), io.ErrUnexpectedEOF}, // its checksum is missing
	} {
		t.Run(name, func(t *testing.T) {
			var to store
			report, err := Run(t.Context(), &to, sourceFrom(t, "in", tt.from), Options{BatchLines: 10})
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), "after line 25") {
				t.Errorf("Run: %v", err)
			}
			if report != (Report{Lines: 25, Upserted: 25}) {
				t.Errorf("%+v", report)
			}
			if diff := cmp.Diff(ids, to.ids()); diff != "" {
				t.Errorf("written (-want +got):\n%s", diff)
			}
		})
	}
}

type failingWriter struct{}

var errNoSpace = errors.New("no space")

func (failingWriter) Write([]byte) (int, error) { return 0, errNoSpace }

func TestARejectedLineIsNeverLost(t *testing.T) {
	var to store
	_, err := Run(t.Context(), &to, sourceOf(t, "bad\n"+upsertLine("s1")), Options{Rejects: failingWriter{}})
	if !errors.Is(err, errNoSpace) {
		t.Errorf("Run: %v", err)
	}
}

func TestProgressReachesTheEnd(t *testing.T) {
	text, _ := sessionLines(95)
	text += "bad\n"
	source := sourceOf(t, text)
	var reported []Progress
	_, err := Run(t.Context(), &store{}, source, Options{BatchLines: 10, Progress: func(p Progress) { reported = append(reported, p) }})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(reported); i++ {
		if reported[i].Lines < reported[i-1].Lines || reported[i].Bytes < reported[i-1].Bytes {
			t.Errorf("progress went back from %+v to %+v", reported[i-1], reported[i])
		}
	}
	want := Progress{Lines: 96, Bytes: int64(len(text))}
	if len(reported) != 10 || reported[len(reported)-1] != want {
		t.Errorf("told %d times, last %+v, want 10 and %+v", len(reported), reported[len(reported)-1], want)
	}
}

func TestAnInputOfAnotherFormatIsRefusedAsAWhole(t *testing.T) {
	tarred := string(append([]byte("name"), make([]byte, 253)...)) + "ustar\x00"
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"a zip":              {[]byte("PK\x03\x04\x0a\x00\n" + upsertLine("s1")), "a zip archive"},
		"UTF-16":             {[]byte("{\x00\"\x00\n\x00"), "UTF-16LE"},
		"an array, indented": {[]byte("\n\n  [\n" + upsertLine("s1") + "\n]"), "a JSON array"},
		"a tar in gzip":      {gzipped(t, tarred), "a tar archive"},
		"gzip in gzip":       {gzipped(t, string(gzipped(t, upsertLine("s1")))), "gzip data"},
		"an array in zstd":   {zstandard(t, "["+sessionDoc("s1")+"]"), "a JSON array"},
		"a long line of it":  {[]byte("[" + strings.Repeat("1,", MaxLine) + "1]"), "a JSON array"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			s := &store{}
			report, err := Run(t.Context(), s, sourceFrom(t, "a.ndjson", iotest.OneByteReader(bytes.NewReader(test.data))), Options{Rejects: &out})
			if !errors.Is(err, ndjson.ErrFormat) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v", err)
			}
			if report != (Report{}) || out.Len() > 0 || s.tries > 0 {
				t.Errorf("%+v, rejects %q, %d writes", report, out.String(), s.tries)
			}
			err = Each(t.Context(), sourceFrom(t, "a.gz", bytes.NewReader(test.data)), func(session.Change) error { return nil })
			if !errors.Is(err, ndjson.ErrFormat) {
				t.Errorf("Each: %v", err)
			}
		})
	}
}

func TestARejectedLineKeepsItsBytes(t *testing.T) {
	latin := "{\"type\":\"session\",\"doc\":{\"id\":\"a\",\"companyId\":1,\"name\":\"M\xfcller\"}}"
	long := strings.Repeat("ж", MaxLine)
	var out bytes.Buffer
	report, err := Run(t.Context(), &store{}, sourceOf(t, upsertLine("s1")+"\n"+latin+"\r\nbad\n"+long), Options{Rejects: &out})
	if err != nil || report.Rejected != 3 || report.Upserted != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	got := rejected(t, &out)
	if string(got[0].Base64) != latin || got[0].Text != "" || !strings.Contains(got[0].Reason, "not UTF-8 at byte") {
		t.Errorf("a line in Latin-1 is %+v", got[0])
	}
	if got[1].Text != "bad" || got[1].Base64 != nil {
		t.Errorf("a line in UTF-8 is %+v", got[1])
	}
	if !strings.HasPrefix(long, got[2].Text) || len(got[2].Text) < 1000 || got[2].Base64 != nil {
		t.Errorf("a line that is too long is %+v", got[2])
	}
}
