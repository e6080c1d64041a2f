package download

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatComesOfATransfer(t *testing.T) {
	tests := map[string]struct {
		fails  func(g *fakeGateway)
		query  func(q Query)
		byName bool
		says   string           // "": it is whole
		left   map[string]int64 // rows of the part, by format; none: nothing
	}{
		"all has come": {},
		"of a limit":   {query: func(q Query) { q["limit"] = int64(2) }},
		"of an offset": {query: func(q Query) { q["offset"] = int64(1) }},
		"a break within the third row": {
			fails: func(g *fakeGateway) { g.cutWithin = 3 }, says: "broken off",
			left: map[string]int64{"CSV": 2, "NDJSON": 2},
		},
		"a break behind the last row": {
			fails: func(g *fakeGateway) { g.cutAt = 1000 }, says: "broken off",
			left: map[string]int64{"CSV": 4, "NDJSON": 4},
		},
		"a break before the first row": {fails: func(g *fakeGateway) { g.cutAt = 9 }, says: "broken off"},
		"a break of what is sorted by name": {
			fails: func(g *fakeGateway) { g.cutWithin = 3 }, byName: true, says: "broken off",
		},
		"no trailer": {
			fails: func(g *fakeGateway) { g.trailer = func(int) string { return "" } }, says: "X-Row-Count is missing",
			left: map[string]int64{"CSV": 4, "NDJSON": 4},
		},
		"a trailer that is no number": {
			fails: func(g *fakeGateway) { g.trailer = func(int) string { return "-1" } }, says: "X-Row-Count is missing",
			left: map[string]int64{"CSV": 4, "NDJSON": 4},
		},
		"a trailer of more rows":  {fails: func(g *fakeGateway) { g.trailer = func(int) string { return "5" } }, says: "not the one that the gateway sent"},
		"a trailer of fewer rows": {fails: func(g *fakeGateway) { g.trailer = func(int) string { return "3" } }, says: "not the one that the gateway sent"},
		"two trailers that differ": {
			fails: func(g *fakeGateway) { g.trailer = func(int) string { return "4 9" } }, says: "two trailers",
			left: map[string]int64{"CSV": 4, "NDJSON": 4},
		},
		"two trailers that agree": {fails: func(g *fakeGateway) { g.trailer = func(int) string { return "4 4" } }},
		"a page of HTML as the last row": {
			fails: func(g *fakeGateway) {
				g.rows, g.extra = g.rows[:3], "<html>\n"
				g.trailer = func(int) string { return "4" }
			},
			says: "no row of an export", left: map[string]int64{"CSV": 3, "NDJSON": 3},
		},
		"a page of HTML that is all": {
			fails: func(g *fakeGateway) { g.rows, g.extra = nil, "<html>\n"; g.trailer = func(int) string { return "1" } },
			says:  "no row of an export",
		},
		"an empty line behind the rows": {
			fails: func(g *fakeGateway) { g.extra = "\n"; g.trailer = func(int) string { return "5" } },
			says:  "no row of an export", left: map[string]int64{"CSV": 4, "NDJSON": 4},
		},
		"fewer rows than match": {fails: func(g *fakeGateway) { g.header = func(h http.Header) { h.Set("X-Total-Count", "9") } }, says: "where 9 match"},
		"an id twice":           {fails: func(g *fakeGateway) { g.rows[2].id = g.rows[1].id }, says: "an id is there twice"},
		"half a row with all its framing": {
			fails: func(g *fakeGateway) { g.extra = `{"id":"z` }, says: "ends within a row",
			left: map[string]int64{"CSV": 4, "NDJSON": 4},
		},
	}
	for name, test := range tests {
		for _, format := range []string{"CSV", "NDJSON"} {
			t.Run(name+" as "+format, func(t *testing.T) {
				g := newFake(t, hardRows()...)
				if test.fails != nil {
					test.fails(g)
				}
				o := options(t, format)
				if test.byName {
					o.Order = ByOther
				}
				if test.query != nil {
					test.query(o.Query)
				}
				result, err := g.client(t).Fetch(t.Context(), o)
				if test.says == "" {
					file, _ := g.file(format, g.matching(g.lastAsked()))
					if err != nil || content(t, o.Path) != string(file) || result.Bytes != int64(len(file)) || result.Snapshots != 1 {
						t.Fatalf("%+v, %v: %q", result, err, content(t, o.Path))
					}
					checkNothingElse(t, o.Path)
					return
				}
				checkBroken(t, o, err, test.says, test.left[format])
			})
		}
	}
}

// checkBroken holds what is there against what the error says is there.
func checkBroken(t *testing.T, o Options, err error, says string, left int64) {
	t.Helper()
	var part *IncompleteError
	if !errors.As(err, &part) || !strings.Contains(err.Error(), says) {
		t.Fatalf("error %v, want one that says %q", err, says)
	}
	if content(t, o.Path) != "(none)" {
		t.Error("there is a file, as if it were whole")
	}
	if left == 0 {
		if part.Part != "" || part.Rows != 0 {
			t.Errorf("%+v, want nothing kept", part)
		}
		checkNothingElse(t, o.Path)
		return
	}
	there := newTally(o.Kind, o.Order)
	if err := there.take([]byte(content(t, part.Part)), func([]byte) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if part.Rows != left || there.rows != left || !there.complete() || part.NotResumable != nil {
		t.Errorf("%d rows are said to be there, and %d are, want %d that can be gone on with: %v", part.Rows, there.rows, left, part.NotResumable)
	}
}

// checkNothingElse looks for what was left beside a file.
func checkNothingElse(t *testing.T, path string) {
	t.Helper()
	left, err := filepath.Glob(path + ".*")
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestAFileWhoseRowsCannotBeCountedIsCheckedByTheTrailer(t *testing.T) {
	g := newFake(t, hardRows()...)
	o := options(t, "XLSX")
	result, err := g.client(t).Fetch(t.Context(), o)
	if err != nil || result.Rows != 4 || content(t, o.Path) != "a-1b,2c\"3ы-4" {
		t.Fatalf("%+v, %v", result, err)
	}
	g.change(func(g *fakeGateway) { g.cutAt = 5 })
	o = options(t, "XLSX")
	_, err = g.client(t).Fetch(t.Context(), o)
	var part *IncompleteError
	if !errors.As(err, &part) || part.Part != "" || part.NotResumable == nil {
		t.Errorf("%+v", err)
	}
	checkNothingElse(t, o.Path)
	if content(t, o.Path) != "(none)" {
		t.Error("half of it is there")
	}
}

func TestAStreamGetsWholeRowsOnly(t *testing.T) {
	g := newFake(t, hardRows()...)
	g.cutWithin = 3
	var out bytes.Buffer
	o := options(t, "NDJSON")
	o.To = &out
	_, err := g.client(t).Fetch(t.Context(), o)
	var part *IncompleteError
	if !errors.As(err, &part) || part.Rows != 2 || strings.Count(out.String(), "\n") != 2 || !strings.HasSuffix(out.String(), "\n") {
		t.Errorf("%v: %q", err, out.String())
	}
	o.Resume = true
	if _, err := g.client(t).Fetch(t.Context(), o); !errors.Is(err, ErrNotResumable) {
		t.Errorf("a stream is resumed: %v", err)
	}
}

func TestWhatIsThereIsNotOverwritten(t *testing.T) {
	g := newFake(t, hardRows()...)
	write := func(t *testing.T, path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, path := range map[string]func(string) string{"the file": func(p string) string { return p }, "a part": partOf} {
		t.Run(name, func(t *testing.T) {
			o := options(t, "CSV")
			write(t, path(o.Path))
			if _, err := g.client(t).Fetch(t.Context(), o); !errors.Is(err, ErrExists) || content(t, path(o.Path)) != "mine" {
				t.Errorf("error %v, and it holds %q", err, content(t, path(o.Path)))
			}
			o.Force = true
			if _, err := g.client(t).Fetch(t.Context(), o); err != nil || content(t, o.Path) == "mine" {
				t.Errorf("with force: %v", err)
			}
			checkNothingElse(t, o.Path)
		})
	}
	t.Run("a folder", func(t *testing.T) {
		o := options(t, "CSV")
		o.Path, o.Force = t.TempDir(), true
		if _, err := g.client(t).Fetch(t.Context(), o); !errors.Is(err, ErrExists) {
			t.Error(err)
		}
	})
	t.Run("a file that has come to be there meanwhile", func(t *testing.T) {
		o := options(t, "CSV")
		o.Progress = func(Progress) { write(t, o.Path) }
		if _, err := g.client(t).Fetch(t.Context(), o); !errors.Is(err, ErrExists) || content(t, o.Path) != "mine" {
			t.Errorf("error %v, and it holds %q", err, content(t, o.Path))
		}
		o.Resume, o.Progress = true, nil
		if err := os.Remove(o.Path); err != nil {
			t.Fatal(err)
		}
		if r, err := g.client(t).Fetch(t.Context(), o); err != nil || r.Rows != 4 || r.Snapshots != 1 {
			t.Errorf("what had come is not taken: %+v, %v", r, err)
		}
	})
}

func TestAFileIsItsOwnersAlone(t *testing.T) {
	g := newFake(t, hardRows()...)
	o := options(t, "CSV")
	if _, err := g.client(t).Fetch(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(o.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestProgressIsReportedInRowsOfThoseThatMatch(t *testing.T) {
	g := newFake(t, hardRows()...)
	o := options(t, "NDJSON")
	var last Progress
	o.Progress = func(p Progress) { last = p }
	if _, err := g.client(t).Fetch(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if last.Rows != 4 || last.Total != 4 || last.Bytes != int64(len(content(t, o.Path))) {
		t.Errorf("%+v", last)
	}
	o = options(t, "XLSX")
	o.Progress = func(p Progress) { last = p }
	if _, err := g.client(t).Fetch(t.Context(), o); err != nil || last.Rows >= 0 || last.Total >= 0 || last.Bytes == 0 {
		t.Errorf("%+v, %v", last, err)
	}
}

func TestAPackedTransferIsUnpackedAndVerified(t *testing.T) {
	for name, broken := range map[string]bool{"whole": false, "broken": true} {
		t.Run(name, func(t *testing.T) {
			g := newFake(t, hardRows()...)
			file, mediaType := g.file("NDJSON", g.rows)
			g.first = func(w http.ResponseWriter, _ *http.Request) {
				h := w.Header()
				h.Set("Content-Type", mediaType)
				h.Set("Content-Encoding", "gzip")
				h.Set("X-Total-Count", "4")
				packer := gzip.NewWriter(w)
				_, _ = packer.Write(file)
				_ = packer.Flush()
				_ = http.NewResponseController(w).Flush()
				if broken {
					panic(http.ErrAbortHandler)
				}
				_ = packer.Close()
				h.Set(http.TrailerPrefix+"X-Row-Count", "4")
			}
			o := options(t, "NDJSON")
			_, err := g.client(t).Fetch(t.Context(), o)
			if broken {
				checkBroken(t, o, err, "broken off", 4)
			} else if err != nil || content(t, o.Path) != string(file) {
				t.Errorf("%v: %q", err, content(t, o.Path))
			}
		})
	}
}

func TestAnInterruptedExportKeepsWhatHasCome(t *testing.T) {
	g := newFake(t, hardRows()...)
	file, mediaType := g.file("NDJSON", g.rows[:2])
	ctx, cancel := context.WithCancel(t.Context())
	g.first = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("X-Total-Count", "4")
		_, _ = w.Write(file)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	o := options(t, "NDJSON")
	o.Progress = func(Progress) { cancel() }
	_, err := g.client(t).Fetch(ctx, o)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	checkBroken(t, o, err, "canceled", 2)
}
