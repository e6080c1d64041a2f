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

// exportPeers compares the rate of NDJSON with others that read the same index.
func (b *bench) exportPeers(ctx context.Context, ours float64, tools bool) (table, error) {
	result := table{
		title: "NDJSON beside others",
		note: fmt.Sprintf("All fields of the same index. The loop is Go, a point in time and search_after by %d rows, and throws the bytes away. "+
			"Targets: gateway ÷ loop at least 0.80, ÷ elasticdump 3, ÷ Python's helpers.scan 2.", batchSize),
		head: []string{"reader", "rows a second", "**gateway ÷ it**"},
	}
	result.rows = append(result.rows, []string{"the gateway", thousands(int(ours)), ""})
	type peer struct {
		name string
		read func(context.Context) (int, error)
	}
	peers := []peer{{"the loop", b.loop}}
	if tools {
		dump, python, err := b.installTools(ctx)
		if err != nil {
			return table{}, err
		}
		// By default they ask for 100 and 1,000.
		for _, size := range []struct {
			dump, scan int
			shown      string
		}{{100, 1000, ""}, {batchSize, batchSize, fmt.Sprintf(", %d rows at a time", batchSize)}} {
			peers = append(peers,
				peer{"elasticdump" + size.shown, func(ctx context.Context) (int, error) { return b.elasticdump(ctx, dump, size.dump) }},
				peer{"Python's helpers.scan" + size.shown, func(ctx context.Context) (int, error) { return b.pythonScan(ctx, python, size.scan) }})
		}
	}
	for _, p := range peers {
		b.say("%s", p.name)
		began := time.Now()
		rows, err := p.read(ctx)
		if err == nil && rows != b.sessions {
			err = fmt.Errorf("%w: %d rows of %d", errExport, rows, b.sessions)
		}
		if err != nil {
			return table{}, fmt.Errorf("%s: %w", p.name, err)
		}
		rate := float64(rows) / time.Since(began).Seconds()
		b.say("  %.0f rows a second", rate)
		result.rows = append(result.rows, []string{p.name, thousands(int(rate)), "**" + times(ratio(ours, rate)) + "**"})
	}
	return result, nil
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
// kept between runs, unless they are there, and returns what to run.
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
