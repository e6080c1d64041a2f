package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/search/elastic"
)

type indexCommand struct {
	Create  indexCreateCommand  `cmd:"" help:"Make the indices that are not there."`
	Status  indexStatusCommand  `cmd:"" help:"Show the indices and whether they fit."`
	Migrate indexMigrateCommand `cmd:"" help:"Copy the sessions into an index of this version's schema, while all go on."`
	DropOld indexDropOldCommand `cmd:"" name:"drop-old" help:"End a migration: delete the index that only gateways of the old version read."`
}

type indexCreateCommand struct{ configFlags }

// Help is shown by `scopegate index create --help`.
func (indexCreateCommand) Help() string {
	return `Makes the indices of sessions, companies and grants, each with a version in its name, behind an alias
to read by and one to write by. What is there stays as it is, so it may be run at every start.`
}

// Run names what was made.
func (c indexCreateCommand) Run(ctx context.Context, env Environ, std Streams) error {
	return c.withIndices(ctx, env, func(indices app.Indices) error {
		created, err := indices.Create(ctx)
		for _, name := range created {
			_, _ = fmt.Fprintln(std.Out, "created", name) // that it was made matters more
		}
		if err == nil && len(created) == 0 {
			_, err = fmt.Fprintln(std.Out, "all indices are there")
		}
		return err
	})
}

type indexStatusCommand struct{ configFlags }

// Help is shown by `scopegate index status --help`.
func (indexStatusCommand) Help() string {
	return `Exit code 1 when Elasticsearch cannot be asked, or an index is missing or does not fit.`
}

// Run prints a line for each index.
func (c indexStatusCommand) Run(ctx context.Context, env Environ, std Streams) error {
	return c.withIndices(ctx, env, func(indices app.Indices) error {
		status, err := indices.Status(ctx)
		if err != nil {
			return err
		}
		if err := printStatus(std.Out, status); err != nil {
			return err
		}
		var problems []error
		for _, index := range status.Indices {
			if index.Problem != "" {
				problems = append(problems, fmt.Errorf("%s: %s", index.Kind, index.Problem))
			}
		}
		return errors.Join(problems...)
	})
}

func printStatus(out io.Writer, status elastic.Status) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	rows := [][]any{{"KIND", "INDEX", "HEALTH", "SHARDS", "REPLICAS", "DOCUMENTS", "BYTES", "READ ALIAS", "WRITE ALIAS"}}
	for _, i := range status.Indices {
		name := i.Index
		if name == "" {
			name = "-"
		}
		rows = append(rows, []any{i.Kind, name, i.Health, i.Shards, i.Replicas, i.Documents, i.Bytes, i.ReadAlias, i.WriteAlias})
	}
	_, _ = fmt.Fprintf(table, "Elasticsearch %s\n", status.Version) // Flush tells
	for _, row := range rows {
		for _, cell := range row {
			_, _ = fmt.Fprintf(table, "%v\t", cell)
		}
		_, _ = fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	m := status.Migration
	if m == nil {
		return nil
	}
	state := "the old index is searched; `scopegate index migrate` goes on, `scopegate index migrate --abort` undoes it"
	if m.Searched {
		state = "this version searches the new index; `scopegate index drop-old` ends the migration"
	}
	_, err := fmt.Fprintf(out, "migration to schema %d, from %s to %s: %d of %d operations are copied; %s\n", m.Schema, m.Old, m.New, m.Done, m.Of, state)
	if err == nil && m.Blocked {
		_, err = fmt.Fprintf(out, "%s takes no writes for some seconds; if no migration is running, run it again: it lifts the block\n", m.Old)
	}
	return err
}

// withIndices runs f on the indices of the configured engine.
func (c configFlags) withIndices(ctx context.Context, env Environ, f func(app.Indices) error) (err error) {
	cfg, err := c.loadEngine(env, "")
	if err != nil {
		return err
	}
	indices, err := app.EngineOf(cfg).OpenIndices(ctx, cfg)
	if errors.Is(err, app.ErrNoIndices) {
		return &exitError{ExitUsage, fmt.Errorf("engine is %s, which has %w: these commands are for engine=%s", cfg.Engine, err, config.EngineElasticsearch)}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, indices.Close()) }()
	return f(indices)
}
