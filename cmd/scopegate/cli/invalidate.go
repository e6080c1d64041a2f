package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/tenancy"
)

type invalidateCommand struct {
	configFlags
	Company []int64 `placeholder:"ID" help:"Whose sessions have changed; may be repeated, or a list: 1,2,3."`
	All     bool    `help:"Those of any company may have changed."`
	Data    string  `type:"path" env:"SCOPEGATE_DATA" placeholder:"DIR" help:"Data folder of the embedded engine (setting sqlite.dir)."`
}

// Help is shown by `scopegate invalidate --help`.
func (invalidateCommand) Help() string {
	return `Tells all gateways that sessions were written, moved or deleted by other means than scopegate import
or copy, which tell it themselves: within a second they answer anew whatever has to do with the
companies named. Make what was written searchable first (in Elasticsearch: refresh the index), and
name for a session that went to another company both. The command ends two seconds later, when it has
read back what it told.

With engine=elasticsearch the gateways are told in Redis; without one there is nothing to tell:
no answer is older than cache.fresh.`
}

// Run tells.
func (c invalidateCommand) Run(ctx context.Context, env Environ) (err error) {
	companies, err := c.companies()
	if err != nil {
		return &exitError{ExitUsage, err}
	}
	cfg, err := c.loadEngine(env, c.Data)
	if err != nil {
		return err
	}
	if cfg.Engine == config.EngineSQLite {
		return touchSQLite(ctx, cfg, companies)
	}
	var closers app.Closers
	defer func() { err = errors.Join(err, closers.Close()) }()
	log, err := app.OpenPublisher(cfg, &closers)
	switch {
	case err != nil:
		return err
	case log == nil:
		return &exitError{ExitUsage, errors.New("redis.addresses is not set: without Redis gateways cannot be told, and serve no answer for longer than cache.fresh")}
	case c.All:
		err = log.AppendAll(ctx)
	default:
		err = log.Append(ctx, companies)
	}
	if err != nil {
		return err
	}
	return log.Confirm(ctx)
}

func (c invalidateCommand) companies() ([]tenancy.CompanyID, error) {
	if c.All == (len(c.Company) > 0) {
		return nil, errors.New("either --company or --all must be given")
	}
	companies := make([]tenancy.CompanyID, len(c.Company))
	for i, id := range c.Company {
		if id < 1 || id > int64(tenancy.MaxCompanyID) {
			return nil, fmt.Errorf("--company must be 1 to %d", tenancy.MaxCompanyID)
		}
		companies[i] = tenancy.CompanyID(id)
	}
	return companies, nil
}

// touchSQLite touches all when no companies are given.
func touchSQLite(ctx context.Context, cfg config.Config, companies []tenancy.CompanyID) (err error) {
	store, err := app.OpenSQLite(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if len(companies) == 0 {
		return store.TouchAll(ctx)
	}
	return store.Touch(ctx, companies)
}
