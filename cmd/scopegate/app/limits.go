package app

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"log/slog"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/gateway"
	"github.com/scopegate/scopegate/gateway/ratelimit"
	"github.com/scopegate/scopegate/search/export"
)

func limitsOf(cfg config.Limits) gateway.Limits {
	return gateway.Limits{
		Address: ratelimit.Limit(cfg.Address), Account: ratelimit.Limit(cfg.Account), Company: ratelimit.Limit(cfg.Company),
	}
}

func exportsOf(cfg config.Exports, temp *export.Temp) gateway.Exports {
	perCompany := cfg.PerCompany
	if perCompany == 0 {
		perCompany = (cfg.AtOnce + 1) / 2
	}
	return gateway.Exports{
		AtOnce: cfg.AtOnce, PerAccount: cfg.PerAccount, PerCompany: perCompany, MaxRows: int64(cfg.MaxRows),
		StallTimeout: cfg.StallTimeout, MaxDuration: cfg.MaxDuration, Temp: temp,
	}
}

// tempOf is the room for workbooks, which is tried before anybody asks for one.
func tempOf(cfg config.Exports, closers *Closers) (*export.Temp, error) {
	temp, err := export.OpenTemp(cfg.TempDir, int64(cfg.TempMax))
	switch {
	case err != nil && cfg.TempDir == "":
		return nil, fmt.Errorf("setting exports.temp_dir is empty, which stands for the system's folder: %w", err)
	case err != nil:
		return nil, fmt.Errorf("setting exports.temp_dir: %w", err)
	}
	closers.push(temp.Close)
	return temp, nil
}

// limiterOf counts in Redis if there is one, else in this process.
func limiterOf(cfg config.Config, shared *redisstore.Client, logger *slog.Logger) (gateway.Limiter, error) {
	process := ratelimit.NewProcess(ratelimit.DefaultMaxKeys)
	if shared == nil {
		return process, nil
	}
	keys, err := cfg.Cache.DecodedKeys()
	if err != nil {
		return nil, err
	}
	// There is a key wherever there is a Redis: see config's Validate. What
	// names budgets must not be what seals answers.
	secret, err := hkdf.Key(sha256.New, keys[0], nil, "scopegate rate limits 1", sha256.Size)
	if err != nil {
		return nil, err
	}
	return ratelimit.NewRedis(ratelimit.RedisOptions{
		Client: shared.Pool(), Budget: cfg.Redis.Budget, Secret: secret, Namespace: cfg.Cache.Namespace,
		Process: process, Logger: logger,
	})
}
