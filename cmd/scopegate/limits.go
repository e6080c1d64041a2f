package main

import (
	"crypto/hkdf"
	"crypto/sha256"
	"log/slog"

	"github.com/scopegate/scopegate/cache"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/gateway"
	"github.com/scopegate/scopegate/gateway/ratelimit"
)

func limitsOf(cfg config.Limits) gateway.Limits {
	return gateway.Limits{
		Address: ratelimit.Limit(cfg.Address), Account: ratelimit.Limit(cfg.Account), Company: ratelimit.Limit(cfg.Company),
	}
}

func exportsOf(cfg config.Exports) gateway.Exports {
	return gateway.Exports{
		AtOnce: cfg.AtOnce, PerAccount: cfg.PerAccount, MaxRows: int64(cfg.MaxRows),
		StallTimeout: cfg.StallTimeout, MaxDuration: cfg.MaxDuration, TempDir: cfg.TempDir,
	}
}

// limiterOf counts in Redis if there is one, else in this process.
func limiterOf(cfg config.Config, shared *cache.Redis, logger *slog.Logger) (gateway.Limiter, error) {
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
		Client: shared.Client(), Budget: cfg.Redis.Budget, Secret: secret, Namespace: cfg.Cache.Namespace,
		Process: process, Logger: logger,
	})
}
