package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// batchSize is how many rows the loop asks for at a time, and the other peers in
// addition to what they do by default.
const batchSize = 5000

// The peers' versions.
const (
	elasticdumpVersion = "6.125.1"
	pythonClient       = "elasticsearch==8.19.3"
)

// An index that is read within seconds is read more often: what else the machine
// does weighs more.
const (
	readOften     = 3
	readOftenUpTo = 100_000 // sessions
)

// indexReader reads all sessions of the index, and returns how many it has read.
type indexReader struct {
	name string
	read func(context.Context) (int, error)
}

// exportPeers compares the rate of NDJSON with others that read the same index.
func (b *bench) exportPeers(ctx context.Context, on engine, tools bool) (_ table, err error) {
	gateway, err := b.uncached(ctx, on)
	if err != nil {
		return table{}, err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	peers, err := b.peers(ctx, tools)
	if err != nil {
		return table{}, err
	}
	readers := append([]indexReader{{"the gateway", func(ctx context.Context) (int, error) {
		got, err := b.export(ctx, gateway, exportCase{name: "NDJSON", parameters: "format=NDJSON"})
		return got.rows, err
	}}}, peers...)
	turns := 1
	if b.sessions <= readOftenUpTo {
		turns = readOften
	}
	rates := make([][]float64, len(readers))
	for range turns {
		for i, r := range readers {
			rate, err := b.readingRate(ctx, r)
			if err != nil {
				return table{}, fmt.Errorf("%s: %w", r.name, err)
			}
			rates[i] = append(rates[i], rate)
		}
	}
	result := table{
		title: "NDJSON beside others",
		note: fmt.Sprintf("All fields of the same index, each reader in its turn (turns: %d; the rates are the medians). The loop is Go, a point in time "+
			"and search_after by %d rows, and throws the bytes away. Targets: gateway ÷ loop at least 0.80, ÷ elasticdump 3, ÷ Python's helpers.scan 2.",
			turns, batchSize),
		head: []string{"reader", "rows a second", "**gateway ÷ it**"},
	}
	ours := median(rates[0])
	for i, r := range readers {
		rate, beside := median(rates[i]), ""
		if i > 0 {
			beside = "**" + times(ratio(ours, rate)) + "**"
		}
		result.rows = append(result.rows, []string{r.name, thousands(int(rate)), beside})
	}
	return result, nil
}

// peers are the loop and, with tools, what others read an index with.
func (b *bench) peers(ctx context.Context, tools bool) ([]indexReader, error) {
	peers := []indexReader{{"the loop", b.loop}}
	if !tools {
		return peers, nil
	}
	dump, python, err := b.installTools(ctx)
	if err != nil {
		return nil, err
	}
	// By default they ask for 100 and 1,000.
	for _, size := range []struct {
		dump, scan int
		shown      string
	}{{100, 1000, ""}, {batchSize, batchSize, fmt.Sprintf(", %d rows at a time", batchSize)}} {
		peers = append(peers,
			indexReader{"elasticdump" + size.shown, func(ctx context.Context) (int, error) { return b.elasticdump(ctx, dump, size.dump) }},
			indexReader{"Python's helpers.scan" + size.shown, func(ctx context.Context) (int, error) { return b.pythonScan(ctx, python, size.scan) }})
	}
	return peers, nil
}

// readingRate is how many sessions the reader reads in a second.
func (b *bench) readingRate(ctx context.Context, r indexReader) (float64, error) {
	b.say("%s", r.name)
	began := time.Now()
	rows, err := r.read(ctx)
	if err != nil {
		return 0, err
	}
	if rows != b.sessions {
		return 0, fmt.Errorf("%w: %d rows of %d", errExport, rows, b.sessions)
	}
	rate := float64(rows) / time.Since(began).Seconds()
	b.say("  %.0f rows a second", rate)
	return rate, nil
}

// loop reads everything by a point in time and search_after and keeps nothing
// but what the next request needs.
func (b *bench) loop(ctx context.Context) (rows int, err error) {
	var at struct {
		ID string `json:"id"`
	}
	if err := b.elastic.ask(ctx, http.MethodPost, "/"+b.elastic.sessions()+"/_pit?keep_alive=1m", &at); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.elastic.closePIT(ctx, at.ID)) }()
	after := ""
	var answer bytes.Buffer
	for {
		body := fmt.Sprintf(`{"size":%d,"pit":{"id":%q,"keep_alive":"1m"},"sort":["_shard_doc"],"track_total_hits":false%s}`, batchSize, at.ID, after)
		err := b.elastic.send(ctx, http.MethodPost, "/_search?filter_path=hits.hits._source,hits.hits.sort", body, func(text io.Reader) error {
			answer.Reset()
			_, err := io.Copy(&answer, text)
			return err
		})
		if err != nil {
			return rows, err
		}
		n := bytes.Count(answer.Bytes(), []byte(`,"sort":[`))
		rows += n
		if n < batchSize {
			return rows, nil
		}
		last := answer.Bytes()[bytes.LastIndex(answer.Bytes(), []byte(`"sort":[`))+len(`"sort":[`):]
		after = `,"search_after":[` + string(last[:bytes.IndexByte(last, ']')]) + `]`
	}
}

func (e elastic) closePIT(ctx context.Context, id string) error {
	return e.send(ctx, http.MethodDelete, "/_pit", fmt.Sprintf(`{"id":%q}`, id), func(io.Reader) error { return nil })
}

// installTools puts elasticdump and the Python client into the folder that is
// stored between runs, unless they are there, and returns what to run.
func (b *bench) installTools(ctx context.Context) (dump, python string, err error) {
	folder := filepath.Join(b.folder, "elasticdump-"+elasticdumpVersion)
	dump = filepath.Join(folder, "node_modules", ".bin", "elasticdump")
	if _, missing := os.Stat(dump); missing != nil {
		b.say("installing elasticdump %s", elasticdumpVersion)
		if err := install(ctx, "npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "elasticdump@"+elasticdumpVersion); err != nil {
			return "", "", err
		}
	}
	folder = filepath.Join(b.folder, "python-"+url.PathEscape(pythonClient))
	python = filepath.Join(folder, "bin", "python3")
	if _, missing := os.Stat(python); missing != nil {
		b.say("installing %s", pythonClient)
		if err := install(ctx, "python3", "-m", "venv", folder); err != nil {
			return "", "", err
		}
		if err := install(ctx, python, "-m", "pip", "install", "--quiet", pythonClient); err != nil {
			return "", "", errors.Join(err, os.RemoveAll(folder))
		}
	}
	return dump, python, nil
}

// elasticdump writes to a pipe that counts lines.
func (b *bench) elasticdump(ctx context.Context, path string, rows int) (int, error) {
	return linesOf(ctx, path, "--input="+b.elastic.url+"/"+b.elastic.sessions(), "--output=$", "--type=data",
		fmt.Sprintf("--limit=%d", rows), "--noRefresh", "--quiet")
}

// scanScript counts the documents that helpers.scan yields, each encoded as a
// line.
const scanScript = `
import json, sys
from elasticsearch import Elasticsearch, helpers
for hit in helpers.scan(Elasticsearch(sys.argv[1], request_timeout=120), index=sys.argv[2], size=int(sys.argv[3])):
    sys.stdout.write(json.dumps(hit["_source"], ensure_ascii=False) + "\n")
`

func (b *bench) pythonScan(ctx context.Context, python string, rows int) (int, error) {
	return linesOf(ctx, python, "-c", scanScript, b.elastic.url, b.elastic.sessions(), strconv.Itoa(rows))
}

func install(ctx context.Context, name string, args ...string) error {
	text, err := exec.CommandContext(ctx, name, args...).CombinedOutput() // #nosec G204 -- the commands are above
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, args[0], err, text)
	}
	return nil
}

// linesOf runs a program and counts the lines of its output.
func linesOf(ctx context.Context, name string, args ...string) (lines int, err error) {
	err = program(name).pipe(ctx, func(out io.Reader) error {
		counted, err := countLines(out)
		lines = counted.lines
		return err
	}, args...)
	return lines, err
}
