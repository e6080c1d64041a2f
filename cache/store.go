package cache

import (
	"context"
	"time"
)

// store keeps values by name for several gateways at once.
type store interface {
	// Get returns the value under each name, nil where there is none.
	Get(ctx context.Context, names []string) ([][]byte, error)
	// Set keeps a value for as long as it may live, in whole milliseconds. Errors
	// beside those of a store that fails: redisstore.ErrRefused.
	Set(ctx context.Context, name string, value []byte, life time.Duration) error
}
