package cache

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/scopegate/scopegate/search"
)

// sessionPage is a page of sessions as they are: names, numbers, phones and
// dates that differ, under names of fields that do not, up to a size in bytes.
func sessionPage(size int) search.Page {
	source := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		var b strings.Builder
		for range 3 + source.IntN(6) {
			b.WriteByte(byte('a' + source.IntN(26)))
		}
		return b.String()
	}
	var page search.Page
	for total := 0; total < size; {
		doc := fmt.Appendf(nil, `{"id":"%016x","companyId":%d,"companyName":"%s %s","name":"%s %s","clientId":"%016x","whatsappPhone":"7%010d",`+
			`"createdAt":"2026-0%d-%02dT%02d:%02d:%02d.%03dZ","startedAt":"2026-0%[9]d-%02[10]dT%02[11]d:%02[12]d:%02[13]d.%03[14]dZ",`+
			`"status":"%[15]s","channel":"whatsapp","operatorName":"%[16]s %[17]s","messageCount":%[18]d,"tags":["%[19]s","%[20]s"],"isGroup":false,"rating":%[21]d}`,
			source.Uint64(), source.IntN(20_000), word(), word(), word(), word(), source.Uint64(), source.IntN(1e10),
			1+source.IntN(9), 1+source.IntN(28), source.IntN(24), source.IntN(60), source.IntN(60), source.IntN(1000),
			[]string{"open", "closed", "waiting"}[source.IntN(3)], word(), word(), source.IntN(300), word(), word(), source.IntN(6))
		page.Rows = append(page.Rows, search.Row{CompanyID: 1, JSON: doc, Position: search.Position{
			Values: []json.RawMessage{fmt.Appendf(nil, `%d`, source.Int64N(2e12)), fmt.Appendf(nil, `"%016x"`, source.Uint64())},
		}})
		total += len(doc)
	}
	return page
}

// BenchmarkCompression is what the choice of S2 rests on: what a page weighs in
// Redis, and what it takes to write and to read.
func BenchmarkCompression(b *testing.B) {
	fast := must(zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1)))
	usual := must(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)))
	reader := must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(1)))
	defer reader.Close()
	unzstd := func(packed []byte) []byte { return must(reader.DecodeAll(packed, nil)) }
	for _, size := range []int{1 << 10, 8 << 10, 200 << 10} {
		body := appendEntry(nil, pageEntry(meta{loadedAt: time.Now()}, sessionPage(size)))
		for _, codec := range []struct {
			name string
			pack func([]byte) []byte
			open func([]byte) []byte
		}{
			{"none", func(b []byte) []byte { return append([]byte(nil), b...) }, func(b []byte) []byte { return append([]byte(nil), b...) }},
			{"s2", func(b []byte) []byte { return s2.Encode(nil, b) }, func(b []byte) []byte { return must(s2.Decode(nil, b)) }},
			{"s2 better", func(b []byte) []byte { return s2.EncodeBetter(nil, b) }, func(b []byte) []byte { return must(s2.Decode(nil, b)) }},
			{"zstd fastest", func(b []byte) []byte { return fast.EncodeAll(b, nil) }, unzstd},
			{"zstd", func(b []byte) []byte { return usual.EncodeAll(b, nil) }, unzstd},
		} {
			packed := codec.pack(body)
			b.Run(fmt.Sprintf("%d bytes, %s, write", len(body), codec.name), func(b *testing.B) {
				for b.Loop() {
					codec.pack(body)
				}
				b.ReportMetric(float64(len(packed)), "bytes")
			})
			b.Run(fmt.Sprintf("%d bytes, %s, read", len(body), codec.name), func(b *testing.B) {
				for b.Loop() {
					codec.open(packed)
				}
			})
		}
	}
}

// What is held in memory must not be much more than what is counted as held.
func TestTheBytesThatAreCountedAreThoseThatAreHeld(t *testing.T) {
	pages := func(size int) func(meta) item {
		rows := sessionPage(size).Rows
		return func(m meta) item { return pageEntry(m, search.Page{Rows: compact(rows)}) }
	}
	for _, tt := range []struct {
		name  string
		entry func(meta) item
	}{
		{"counts", func(m meta) item { return &entry[count]{meta: m, value: 1} }},
		{"one row", pages(1)},
		{"8 KB", pages(8 << 10)},
		{"200 KB", pages(200 << 10)},
		{"8 KB and the answer made of it", func(m meta) item {
			e := pageEntry(m, search.Page{Rows: compact(sessionPage(8 << 10).Rows)})
			e.ready = make([]byte, 2<<10)
			return e
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := newMemory(testOptions(Options{MaxBytes: 32 << 20, maxEntryBytes: 1 << 20}))
			if err != nil {
				t.Fatal(err)
			}
			defer m.close()
			before := heap()
			for i := 0; ; i++ {
				e := tt.entry(meta{loadedAt: time.Now(), key: key{byte(i), byte(i >> 8), byte(i >> 16)}})
				m.put(e, time.Now())
				if i%100 != 0 {
					continue
				}
				if _, held := m.size(); held > 24<<20 {
					break
				}
			}
			entries, held := m.size()
			used := heap() - before
			t.Logf("%d entries: counted %d bytes, held %d, %.2f of it", entries, held, used, float64(used)/float64(held))
			if used > held*5/4 {
				t.Errorf("counted %d bytes, held %d", held, used)
			}
		})
	}
}

// heap is what is in use, after all that is garbage has gone.
func heap() int64 {
	var m runtime.MemStats
	for range 2 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
