package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/cmd/scopegate/download"
	"github.com/scopegate/scopegate/ndjson"
	"github.com/scopegate/scopegate/search/export"
)

// tokenVariable holds the token, which has no flag: flags are seen by whoever
// lists the machine's processes.
const tokenVariable = "SCOPEGATE_TOKEN"

type exportCommand struct {
	Gateway   string `default:"http://127.0.0.1:8080" placeholder:"URL" help:"Where the API is (default ${default})."`
	TokenFile string `type:"path" placeholder:"FILE" help:"Holds the bearer token; default: the variable SCOPEGATE_TOKEN."`
	CAFile    string `name:"ca-file" type:"path" placeholder:"FILE" help:"PEM of the authorities to trust; default: the system's."`
	Format    string `enum:"CSV,CSV_EXCEL,NDJSON,JSON,XLSX" default:"CSV" placeholder:"FORMAT" help:"${enum} (default ${default})."`
	Zip       bool   `help:"Packed as a zip."`
	Out       string `short:"o" default:"-" placeholder:"FILE" help:"Where to write; - is standard output (default -)."`
	Force     bool   `help:"Overwrite FILE; without --resume, FILE.part too."`
	Resume    bool   `help:"Go on with FILE.part, if it is there: NDJSON and CSV, with all other flags as before."`
	Quiet     bool   `short:"q" help:"Neither progress nor summary."`

	exportQuery
}

// Help is shown by `scopegate export --help`.
func (exportCommand) Help() string {
	return `Writes all sessions that match to a file:

  scopegate export --showAllSupervised --from 2018-05-01T00:00:00Z --fields id,name,startedAt -o may.csv

Filters have the names and meanings that the API gives them. FILE grows as FILE.part, and is there
only when it is whole: the transfer came to its end, and the gateway's count of rows is that of the
file. A part of NDJSON or CSV that has ids, sorted by them or not at all, is kept when an export is
broken off; the same command with --resume, to the same gateway and with a token of the same account,
goes on behind its last row. Its rows are then of several snapshots, which is said.

A busy gateway (429) is asked again when it says, five times in all.

Exit codes:
  0  the file is whole
  1  failed; there is no answer, or none that tells what is wrong with what was asked
  2  wrong usage; nothing was asked
  3  the export was broken off, or is not whole: what is there is said
  4  the gateway refuses it (a parameter, the token, a company)`
}

// Run fetches the export.
func (c exportCommand) Run(ctx context.Context, env Environ, std Streams) error {
	o, err := c.options(std)
	if err != nil {
		return &exitError{ExitUsage, err}
	}
	asked, err := c.clientOptions(env)
	if err != nil {
		return &exitError{ExitUsage, err}
	}
	shown, show := c.progress(std.Err)
	o.Progress = show
	asked.Waiting = func(why error, wait time.Duration) { c.reportWaiting(std.Err, why, wait) }
	client := download.NewClient(asked)
	defer client.Close()
	result, err := client.Fetch(ctx, o)
	shown.done()
	if err != nil {
		return c.failure(err)
	}
	return c.summarize(std.Err, result)
}

// kind is what of the file can be told apart on the way.
func (c exportCommand) kind() download.Kind {
	switch format := export.Format(c.Format); {
	case c.Zip:
		return download.Opaque
	case format == export.CSV:
		return download.Table
	case format == export.CSVExcel:
		return download.Sheet // in front of some ids stands an apostrophe, which may be one's own
	case format == export.NDJSON:
		return download.Lines
	}
	return download.Opaque
}

// mediaType is that of the answer.
func (c exportCommand) mediaType() (string, error) {
	if c.Zip {
		return export.ZipType, nil
	}
	bare, _, err := mime.ParseMediaType(export.Format(c.Format).MediaType())
	return bare, err
}

func (c exportCommand) options(std Streams) (download.Options, error) {
	q := c.question()
	q["format"] = c.Format
	if c.Zip {
		q["zip"] = true
	}
	mediaType, err := c.mediaType()
	o := download.Options{
		Query: q, MediaType: mediaType, Kind: c.kind(), Order: download.OrderOf(q), Path: c.Out, Force: c.Force, Resume: c.Resume,
	}
	if c.Out == stdinName {
		o.To = std.Out
		if (c.Zip || export.Format(c.Format).Packed()) && isTerminal(std.Out) {
			return o, errors.New("a packed file is nothing for a terminal: name a file with -o")
		}
	}
	return o, err
}

func (c exportCommand) clientOptions(env Environ) (download.ClientOptions, error) {
	gateway, err := gatewayURL(c.Gateway)
	if err != nil {
		return download.ClientOptions{}, err
	}
	token, err := c.token(env)
	if err != nil {
		return download.ClientOptions{}, err
	}
	authorities, err := app.ReadAuthorities(c.CAFile)
	if err != nil {
		return download.ClientOptions{}, fmt.Errorf("--ca-file: %w", err)
	}
	return download.ClientOptions{Gateway: gateway, Token: token, Authorities: authorities}, nil
}

// gatewayURL says nothing of what is wrong that could hold a password.
func gatewayURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("--gateway must be http:// or https:// with a host, and a path at most")
	}
	return u, nil
}

// maxToken is more than any gateway takes.
const maxToken = 1 << 20

// token never tells what it has read.
func (c exportCommand) token(env Environ) (string, error) {
	source, text := tokenVariable, []byte(env.get(tokenVariable))
	if c.TokenFile != "" {
		file, err := os.Open(c.TokenFile)
		if err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
		defer func() { _ = file.Close() }() // it is only read
		source = "--token-file " + c.TokenFile
		if text, err = io.ReadAll(io.LimitReader(file, maxToken)); err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
	}
	token := string(bytes.TrimSpace(ndjson.TrimMark(text)))
	if token == "" {
		return "", errors.New("a token is needed, in " + tokenVariable + " or the file of --token-file")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New(source + " holds something else than one token")
	}
	return token, nil
}

// get is the last value of a variable; "" when it is not set.
func (e Environ) get(name string) string {
	value := ""
	for _, variable := range e {
		if text, ok := strings.CutPrefix(variable, name+"="); ok {
			value = text
		}
	}
	return value
}
