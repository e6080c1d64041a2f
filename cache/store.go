package cache

import (
	"context"
	"time"
)

// store keeps values by name for several gateways at once.
type store interface {
	// get returns the value under each name, nil where there is none.
	get(ctx context.Context, names []string) ([][]byte, error)
	// set keeps a value for as long as it may live, in whole milliseconds.
	set(ctx context.Context, name string, value []byte, life time.Duration) error
}
