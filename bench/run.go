package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Defaults that `make bench` names too.
const (
	defaultSessions = 1_000_000
	defaultSeconds  = 10
	// fewestSessions has enough different names and pages.
	fewestSessions = 5000
)

type runCommand struct {
	Scopegate     string `default:"bin/scopegate" type:"existingfile" help:"The gateway's program."`
	Sessions      int    `default:"1000000" help:"Sessions to search (default ${default})."`
	Seconds       int    `default:"10" help:"How long each side of a comparison, and each search of a table, is measured (default ${default})."`
	Elasticsearch string `required:"" env:"SCOPEGATE_TEST_ELASTICSEARCH" placeholder:"URL" help:"http://HOST:PORT"`
	Redis         string `required:"" env:"SCOPEGATE_TEST_REDIS" placeholder:"URL" help:"redis://HOST:PORT"`
	Out           string `type:"path" placeholder:"FILE" help:"Page of the documentation whose block is replaced; none: print only."`
	Anew          bool   `help:"Load the data again, also what is there: a version of the gateway may store it differently."`
}

// Run measures and reports.
func (c runCommand) Run(ctx context.Context, std streams) (err error) {
	if c.Sessions < fewestSessions || c.Seconds < 1 {
		return fmt.Errorf("at least %d sessions and a second are needed", fewestSessions)
	}
	b, err := c.bench(ctx, std.err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.issuer.close()) }()
	tables, err := b.measure(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx) // what failed then, failed because of it
	}
	if err != nil {
		return err
	}
	return publish(std.out, c.Out, "bench", c.report(tables))
}

// bench is what all measurements share.
type bench struct {
	loader

	self    program // this command
	elastic elastic
	redis   string // HOST:PORT
	engines []engine
	issuer  *issuer
	token   string
	perCase time.Duration // of each side, and of each search
	busy    int           // requests at a time where throughput is measured
	pinned  bool          // what is measured has a core of its own
	limited bool          // the rate limits are on, higher than any load
}

func (c runCommand) bench(ctx context.Context, progress io.Writer) (*bench, error) {
	b, err := newBench(ctx, program(c.Scopegate), c.Sessions, progress)
	if err != nil {
		return nil, err
	}
	b.anew = c.Anew
	b.redis = strings.TrimPrefix(c.Redis, "redis://")
	b.perCase, b.busy = time.Duration(c.Seconds)*time.Second, 4*runtime.NumCPU()
	b.onBoth(c.Elasticsearch)
	return b, nil
}

// newBench is one without engines. Its issuer is to be closed.
func newBench(ctx context.Context, scopegate program, sessions int, progress io.Writer) (*bench, error) {
	folder, err1 := cacheFolder()
	self, err2 := os.Executable()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	i, err := startIssuer(ctx)
	if err != nil {
		return nil, err
	}
	token, err := i.supervisor(rootCompany)
	if err != nil {
		return nil, errors.Join(err, i.close())
	}
	return &bench{
		loader: loader{scopegate: scopegate, folder: folder, sessions: sessions, progress: progress},
		self:   program(self), issuer: i, token: token,
	}, nil
}

// onBoth has it measure both engines.
func (b *bench) onBoth(elasticsearch string) {
	b.elastic = elastic{url: strings.TrimRight(elasticsearch, "/"), index: fmt.Sprintf("scopegate-bench-%d", b.sessions)}
	b.engines = []engine{elasticEngine(b.elastic, b.scopegate), b.embedded()}
}

func (b *bench) embedded() engine {
	return sqliteEngine(filepath.Join(b.folder, fmt.Sprintf("sqlite-%d", b.sessions)), b.sessions)
}

func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, format+"\n", args...) // that it is measured matters more
}

// cacheOff has the gateway ask its engine every time.
const cacheOff = "cache.fresh=0s"

// gateway starts one with the settings. One account makes all of the load, so its
// searches under way are not bounded unless the settings say so.
func (b *bench) gateway(ctx context.Context, settings ...string) (*server, error) {
	settings = append(append([]string{"limits.account_loads=0", "limits.engine_loads=0"}, settings...), b.issuer.settings()...)
	settings = append(settings, "listen=127.0.0.1:0", "admin.listen=127.0.0.1:0")
	rates := []string{"limits.account.per_minute=0", "limits.company.per_minute=0"} // a load is one account
	if b.limited {
		rates = []string{
			"limits.account.per_minute=60000000", "limits.account.burst=1000000", "limits.company.per_minute=60000000", "limits.company.burst=1000000",
		}
	}
	settings = append(settings, rates...)
	return b.start(ctx, b.scopegate, with(settings, "serve")...)
}

// uncached starts one on the engine, once that is at rest, which asks it every time.
func (b *bench) uncached(ctx context.Context, e engine) (*server, error) {
	if err := e.rest(ctx); err != nil {
		return nil, err
	}
	return b.gateway(ctx, append(e.settings[:len(e.settings):len(e.settings)], cacheOff)...)
}

// start runs a server that is measured.
func (b *bench) start(ctx context.Context, p program, args ...string) (s *server, err error) {
	if !b.pinned {
		return startServer(ctx, p, args...)
	}
	err = onCore(measuredCore, func() error {
		s, err = startServer(ctx, p, args...)
		return err
	})
	return s, err
}

// caller is the account of the run, which supervises all companies.
func (b *bench) caller(of *server) caller { return caller{address: of.address(), token: b.token} }

func (b *bench) measure(ctx context.Context) ([]table, error) {
	imports, err := b.load(ctx, b.engines)
	if err != nil {
		return nil, err
	}
	scopes := table{
		title: "Scopes",
		note: "The newest 10 sessions, cache off, one request at a time: the median, and × that of one company. Unseen: a scope that was not " +
			"asked for before; seen: asked for again.",
		head: append([]string{"engine", "companies"}, searchHead()...),
	}
	keywords := table{
		title: "Keywords",
		note: fmt.Sprintf("Of all %s companies, the newest 10 matches, cache off, one request at a time: the median, and × that without a keyword.",
			thousands(companyCount+1)),
		head: append([]string{"engine", "characters"}, searchHead()...),
	}
	var against []table
	for i, e := range b.engines {
		of, err := b.measureEngine(ctx, e, i == 0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		against = append(against, of.against...)
		scopes.rows = append(scopes.rows, of.scopes...)
		keywords.rows = append(keywords.rows, of.keywords...)
	}
	return append(against, scopes, keywords, b.importTable(imports)), nil
}

// measured is what was found out on one engine.
type measured struct {
	against          []table
	scopes, keywords [][]string
}

// measureEngine measures a gateway on the engine, its cache off, and, if asked
// to, against what it is compared with.
func (b *bench) measureEngine(ctx context.Context, e engine, compared bool) (m measured, err error) {
	running, err := b.uncached(ctx, e)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, running.stop()) }()
	gateway := b.caller(running)
	names, err := names(ctx, gateway)
	if err != nil {
		return m, err
	}
	if compared {
		if m.against, err = b.comparisons(ctx, gateway, names); err != nil {
			return m, err
		}
	}
	if m.scopes, err = b.searches(ctx, e, gateway, scopeCases()); err != nil {
		return m, err
	}
	cases, err := keywordCases(names)
	if err != nil {
		return m, err
	}
	m.keywords, err = b.searches(ctx, e, gateway, cases)
	return m, err
}

func (b *bench) comparisons(ctx context.Context, gateway caller, names []string) ([]table, error) {
	overhead, err := b.overhead(ctx, gateway, names)
	if err != nil {
		return nil, err
	}
	hits, err := b.redisHits(ctx, gateway)
	return []table{overhead, hits}, err
}

func (b *bench) importTable(imports []imported) table {
	t := table{
		title: "Import", note: "`scopegate import` of a file, indexes included.",
		head: []string{"engine", "sessions", "seconds", "sessions a second", "MB a second"},
	}
	for i, done := range imports {
		t.rows = append(t.rows, []string{
			b.engines[i].name, thousands(done.Sessions), fmt.Sprintf("%.1f", done.Took.Seconds()),
			thousands(int(float64(done.Sessions) / done.Took.Seconds())),
			fmt.Sprintf("%.1f", float64(done.Bytes)/1e6/done.Took.Seconds()),
		})
	}
	return t
}

// report is the block of the documentation.
func (c runCommand) report(tables []table) []byte {
	return markdown(c.command(), fmt.Sprintf("%s sessions in %s companies. Gateway, engine, Redis and the load share %s. "+
		"What is compared took %d turns each, one after the other; the ratios are the medians of the turns'.",
		thousands(c.Sessions), thousands(companyCount), processor(), rounds), tables)
}

// command is how this run is had again.
func (c runCommand) command() string { return target("bench", c.Sessions, c.Seconds) }
