package cache

import (
	"context"
	"errors"
	"time"
)

// errWriteRefused: the store answers, and takes no values for now.
var errWriteRefused = errors.New("the store takes no values")

// store keeps values by name for several gateways at once.
type store interface {
	// get returns the value under each name, nil where there is none.
	get(ctx context.Context, names []string) ([][]byte, error)
	// set keeps a value for as long as it may live, in whole milliseconds. Errors
	// beside those of a store that fails: errWriteRefused.
	set(ctx context.Context, name string, value []byte, life time.Duration) error
}
