package redisstore

import (
	"strings"
	"testing"
)

func TestRedisOptionsAreValidated(t *testing.T) {
	one := []string{"127.0.0.1:6379"}
	for name, tt := range map[string]struct {
		options Options
		want    string
	}{
		"no address":            {Options{}, "Addresses"},
		"an address alone":      {Options{Addresses: []string{"localhost"}}, `"localhost" must be HOST:PORT`},
		"a port alone":          {Options{Addresses: []string{":6379"}}, "HOST:PORT"},
		"cluster and Sentinel":  {Options{Addresses: one, Cluster: true, MasterName: "main"}, "MasterName"},
		"a cluster's database":  {Options{Addresses: one, Cluster: true, DB: 1}, "no DB but 0"},
		"a seed list's":         {Options{Addresses: []string{"a:1", "b:1"}, DB: 1}, "no DB but 0"},
		"a negative database":   {Options{Addresses: one, DB: -1}, "DB"},
		"a negative pool":       {Options{Addresses: one, PoolSize: -1}, "PoolSize"},
		"a negative budget":     {Options{Addresses: one, Budget: -1}, "Budget"},
		"two faults, the first": {Options{Addresses: one, DB: -1, Budget: -1}, "DB"},
		"two faults, the last":  {Options{Addresses: one, DB: -1, Budget: -1}, "Budget"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(tt.options); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New: %v, want a fault of %s", err, tt.want)
			}
		})
	}
}
