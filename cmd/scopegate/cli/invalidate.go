package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
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
	return `Publishes to all gateways that sessions were written, moved or deleted by other means than scopegate
import or copy, which publish it themselves: within a second gateways answer anew whatever has to do
with the companies named. Make what was written searchable first (in Elasticsearch: refresh the
index), and name for a session that went to another company both. The command ends two seconds
later, when it has read back what it published.

With engine=elasticsearch this goes through Redis; without one there is nothing to publish: no answer
is older than cache.fresh.`
}

// Run publishes.
func (c invalidateCommand) Run(ctx context.Context, env Environ) error {
	companies, err := c.companies()
	if err != nil {
		return &exitError{ExitUsage, err}
	}
	cfg, err := c.loadEngine(env, c.Data)
	if err != nil {
		return err
	}
	err = app.EngineOf(cfg).Invalidate(ctx, cfg, companies)
	if errors.Is(err, app.ErrNoRedis) {
		return &exitError{ExitUsage, err}
	}
	return err
}

// companies are those to invalidate; none for all.
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
