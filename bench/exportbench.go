package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// exportCommand measures exports: how fast they are beside their peers, and what
// they take of memory.
type exportCommand struct {
	Scopegate     string `default:"bin/scopegate" type:"existingfile" help:"The gateway's program."`
	Sessions      int    `default:"1000000" help:"Sessions to export (default ${default})."`
	Elasticsearch string `required:"" env:"SCOPEGATE_TEST_ELASTICSEARCH" placeholder:"URL" help:"http://HOST:PORT"`
	Only          string `enum:",Elasticsearch,SQLite" default:"" help:"The files of one engine and nothing beside them: Elasticsearch or SQLite; none: all."`
	Tools         bool   `default:"true" negatable:"" help:"Measure elasticdump and the Python client too; they are installed into the cache folder."`
	Out           string `type:"path" placeholder:"FILE" help:"Page of the documentation whose block is replaced; none: print only."`
}

// twelveFields are an export of about 300 bytes a row.
const twelveFields = "id,companyId,name,messengerType,status,clientId,whatsappPhone,operatorName,messageCount,createdAt,startedAt,closedAt"

const exportPath = "/api/v1/sessions/export"

// Run measures and reports.
func (c exportCommand) Run(ctx context.Context, std streams) (err error) {
	b, err := c.bench(ctx, std)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.issuer.close()) }()
	if _, err := b.load(ctx, b.engines); err != nil {
		return err
	}
	tables, err := c.measure(ctx, b)
	if err != nil {
		return err
	}
	command := target("bench-export", c.Sessions, defaultSeconds)
	if c.Only != "" {
		command += " ONLY=" + c.Only
	}
	report := markdown(command, fmt.Sprintf("%s sessions; gateway, engine and reader share %s.", thousands(c.Sessions), processor()), tables)
	return publish(std.out, c.Out, "bench-export", report)
}

func (c exportCommand) bench(ctx context.Context, std streams) (*bench, error) {
	b, err := newBench(ctx, program(c.Scopegate), c.Sessions, std.err)
	if err != nil {
		return nil, err
	}
	b.onBoth(c.Elasticsearch)
	b.engines = slices.DeleteFunc(b.engines, func(e engine) bool { return c.Only != "" && c.Only != e.name })
	return b, nil
}

func (c exportCommand) measure(ctx context.Context, b *bench) ([]table, error) {
	files := table{
		title: "Files",
		note: "Everything that matches, from the request to the last byte, one export at a time. Memory is what the gateway holds at its most " +
			"beyond what it held before the first export (resident).",
		head: []string{"engine", "fields", "file", "rows", "MB", "first byte", "rows a second", "MB a second", "memory"},
	}
	for _, e := range b.engines {
		rows, err := b.exports(ctx, e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		files.rows = append(files.rows, rows...)
	}
	if c.Only != "" {
		return []table{files}, nil
	}
	peers, err := b.exportPeers(ctx, b.engines[0], c.Tools)
	return []table{files, peers}, err
}

// exportCase is a file that is asked for.
type exportCase struct {
	fields     string // "" : all
	name       string
	parameters string
}

func exportCases() []exportCase {
	return []exportCase{
		{"", "NDJSON", "format=NDJSON"}, {"", "CSV", "format=CSV"}, {"", "NDJSON in a zip", "format=NDJSON&zip=true"},
		{twelveFields, "NDJSON", "format=NDJSON"}, {twelveFields, "CSV", "format=CSV"}, {twelveFields, "XLSX", "format=XLSX"},
		{"", "XLSX", "format=XLSX"},
	}
}

// exports measures every file from one engine.
func (b *bench) exports(ctx context.Context, e engine) (rows [][]string, err error) {
	gateway, err := b.uncached(ctx, e)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	if err := b.warmExport(ctx, gateway); err != nil {
		return nil, err
	}
	idle := gateway.resident()
	for _, c := range exportCases() {
		b.say("%s: %s", e.name, c.name)
		m := watchMemory(gateway)
		got, err := b.export(ctx, gateway, c)
		most := m.stop()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		fields := "all"
		if c.fields != "" {
			fields = "12"
		}
		b.say("  %.0f rows a second, first byte after %v, %d MiB", got.rate(), got.first.Round(time.Millisecond), max(0, most-idle)>>20)
		rows = append(rows, []string{
			e.name, fields, c.name, thousands(got.rows), thousands(int(got.bytes / 1e6)), milliseconds(got.first),
			thousands(int(got.rate())), thousands(int(float64(got.bytes) / 1e6 / got.took.Seconds())),
			fmt.Sprintf("+%d MiB", max(0, most-idle)>>20),
		})
	}
	return rows, nil
}

// warmExport has a few rows exported, so that what is needed only once is there.
func (b *bench) warmExport(ctx context.Context, gateway *server) error {
	for _, format := range []string{"NDJSON", "CSV"} {
		if _, err := b.export(ctx, gateway, exportCase{name: format, parameters: "limit=1000&format=" + format}); err != nil {
			return err
		}
	}
	return nil
}

// exported is what came of an export.
type exported struct {
	rows  int
	bytes int64
	first time.Duration // until the first byte of the body
	took  time.Duration
}

func (e exported) rate() float64 { return float64(e.rows) / e.took.Seconds() }

var errExport = errors.New("the export is not whole")

func (b *bench) export(ctx context.Context, gateway *server, c exportCase) (got exported, err error) {
	url := gateway.API + exportPath + "?showAllSupervised=true&" + c.parameters
	if c.fields != "" {
		url += "&fields=" + c.fields
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return got, err
	}
	request.Header = b.caller(gateway).header()
	request.Header.Set("Accept-Encoding", "identity")
	began := time.Now()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, shownOfAnswer)) // what there is of it
		return got, fmt.Errorf("%s: %s", answer.Status, text)
	}
	counted, err := countLines(answer.Body)
	if err != nil {
		return got, err
	}
	got.took, got.first, got.bytes = time.Since(began), counted.first.Sub(began), counted.bytes
	if got.rows, err = strconv.Atoi(answer.Trailer.Get("X-Row-Count")); err != nil {
		return got, fmt.Errorf("%w: X-Row-Count %q", errExport, answer.Trailer.Get("X-Row-Count"))
	}
	if c.name == "NDJSON" && counted.lines != got.rows {
		return got, fmt.Errorf("%w: %d lines, X-Row-Count %d", errExport, counted.lines, got.rows)
	}
	return got, nil
}

// lineCounter counts what is written to it, and notes when the first of it came.
type lineCounter struct {
	lines int
	bytes int64
	first time.Time
}

// countLines reads to the end, in pieces so large that it takes little.
func countLines(from io.Reader) (lineCounter, error) {
	var c lineCounter
	_, err := io.CopyBuffer(&c, struct{ io.Reader }{from}, make([]byte, 256<<10)) // nothing but a Reader, or the buffer is not used
	return c, err
}

// Write implements io.Writer.
func (c *lineCounter) Write(b []byte) (int, error) {
	if c.bytes == 0 {
		c.first = time.Now()
	}
	c.bytes += int64(len(b))
	c.lines += bytes.Count(b, []byte{'\n'})
	return len(b), nil
}
