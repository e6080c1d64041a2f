package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// ErrRefused says that Redis answers, and takes no values for now.
var ErrRefused = errors.New("the store takes no values")

// WriteBudgets is how many budgets of a search a write may take. Nobody waits for a
// write, and a value that is stored late, as when a gateway has just started, is
// worth as much.
const WriteBudgets = 10

// DefaultBudget is how long a search waits for Redis before it goes on
// without.
const DefaultBudget = 25 * time.Millisecond

// dialTimeout is longer than any budget: a connection is made beside the
// call that found none, and is there for the next one. It takes several round
// trips where there is TLS.
const dialTimeout = time.Second

// Options say where Redis is and how to sign in. Zero values take the defaults.
type Options struct {
	// Addresses are host:port: of the server, of nodes of a cluster (several
	// addresses are a cluster's), or with MasterName of Sentinels. At least one.
	Addresses []string
	// Cluster says that a single address is a cluster's too.
	Cluster bool
	// MasterName is what Sentinels call the server; "": there are none.
	MasterName string
	// Username and Password sign in to Redis (ACL; a password alone is the
	// default user's), SentinelUsername and SentinelPassword to the Sentinels.
	Username, Password                 string
	SentinelUsername, SentinelPassword string
	// DB is the number of the database; a cluster has 0 only.
	DB int
	// TLS is for all connections; nil: in clear.
	TLS *tls.Config
	// PoolSize bounds the connections to each server; 0: 10 for each CPU.
	PoolSize int
	// Budget is how long a search waits; 0: DefaultBudget. What is stored
	// beside it may take ten times as long.
	Budget time.Duration
}

// Client is a connection pool to one Redis, Sentinel-watched Redis or Redis
// Cluster. It connects when it is first used, and may be down at any time.
type Client struct {
	pool redis.UniversalClient
	// log is apart: nobody waits for the calls of the invalidation log, and a read
	// that waits for entries takes longer than any budget.
	log    redis.UniversalClient
	budget time.Duration
}

// New makes the pool without connecting. Errors name every option that is
// wrong. Close it after the caches that use it.
func New(o Options) (*Client, error) {
	if o.Budget == 0 {
		o.Budget = DefaultBudget
	}
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	// The client writes plain lines to stderr for what spans and metrics report
	// already; while Redis is down they would fill the log.
	logging.Disable()
	pool := connect(o.pool())
	if err := instrument(pool); err != nil {
		return nil, errors.Join(fmt.Errorf("redis: %w", err), pool.Close())
	}
	return &Client{pool: pool, log: connect(o.log()), budget: o.Budget}, nil
}

// connect makes a client without connecting.
//
// That of a Cluster would ask nodes for COMMAND, to route commands to several
// nodes at once, of which there are none here. Where the account may not run it,
// or nodes hang, each call would ask again, one after the other, and no context
// ends that.
func connect(o *redis.UniversalOptions) redis.UniversalClient {
	if o.MasterName != "" || len(o.Addrs) == 1 && !o.IsClusterMode {
		return redis.NewUniversalClient(o)
	}
	cluster := o.Cluster()
	cluster.DisableRoutingPolicies = true
	return redis.NewClusterClient(cluster)
}

func (o Options) validate() error {
	var faults []error
	if len(o.Addresses) == 0 {
		faults = append(faults, errors.New("there must be an address (Addresses)"))
	}
	for _, address := range o.Addresses {
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			faults = append(faults, fmt.Errorf("address %q must be HOST:PORT", address))
		}
	}
	if o.Cluster && o.MasterName != "" {
		faults = append(faults, errors.New("it cannot be a Cluster and have a MasterName"))
	}
	if o.isCluster() && o.DB != 0 {
		faults = append(faults, errors.New("a cluster has no DB but 0"))
	}
	if o.DB < 0 {
		faults = append(faults, errors.New("the DB must not be negative"))
	}
	if o.PoolSize < 0 {
		faults = append(faults, errors.New("the bound PoolSize must be positive"))
	}
	if o.Budget < 0 {
		faults = append(faults, errors.New("the Budget must be positive"))
	}
	return errors.Join(faults...)
}

func (o Options) isCluster() bool {
	return o.MasterName == "" && (o.Cluster || len(o.Addresses) > 1)
}

// pool are the settings that differ from the client's own: those wait for
// seconds, try again, and report to the server who they are.
func (o Options) pool() *redis.UniversalOptions {
	return &redis.UniversalOptions{
		Addrs:            o.Addresses,
		IsClusterMode:    o.Cluster,
		MasterName:       o.MasterName,
		Username:         o.Username,
		Password:         o.Password,
		SentinelUsername: o.SentinelUsername,
		SentinelPassword: o.SentinelPassword,
		DB:               o.DB,
		TLSConfig:        o.TLS, // Sentinels' clients look at it too
		Dialer:           o.dialer(),

		// The budget comes with the context of each call; without this one it
		// would not end a read. These are those of the longest calls.
		ContextTimeoutEnabled: true,
		ReadTimeout:           WriteBudgets * o.Budget,
		WriteTimeout:          WriteBudgets * o.Budget,
		PoolTimeout:           WriteBudgets * o.Budget,
		DialTimeout:           dialTimeout,
		// A search has no time for a second try, and the breaker counts each.
		MaxRetries:    -1,
		DialerRetries: 1,

		PoolSize:         o.PoolSize,
		PipelinePoolSize: -1, // pipelines are rare: no pool of their own
		// Push messages are of no use here, and each call would look for them.
		Protocol:                 2,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		DisableIdentity:          true, // one round trip less to a new connection
	}
}

// LogTimeout is how long a call about the invalidation log may take.
const LogTimeout = time.Second

// log are the settings of the connections for the invalidation log.
func (o Options) log() *redis.UniversalOptions {
	p := o.pool()
	p.ReadTimeout, p.WriteTimeout, p.PoolTimeout = LogTimeout, LogTimeout, LogTimeout
	p.PoolSize = 4
	return p
}

// Pool is the pool of searches, for what else is stored in the same Redis. The
// caller must not close it.
func (c *Client) Pool() redis.UniversalClient { return c.pool }

// LogPool is the pool of the invalidation log. The caller must not close it.
func (c *Client) LogPool() redis.UniversalClient { return c.log }

// Budget is how long a search waits.
func (c *Client) Budget() time.Duration { return c.budget }

// Close closes all connections.
func (c *Client) Close() error { return errors.Join(c.pool.Close(), c.log.Close()) }

// Get returns the value under each name, nil where there is none.
func (c *Client) Get(ctx context.Context, names []string) ([][]byte, error) {
	if len(names) == 1 {
		value, err := valueOf(c.pool.Get(ctx, names[0]))
		return [][]byte{value}, err
	}
	// Not MGET: in a cluster the names are on different nodes.
	pipeline := c.pool.Pipeline()
	commands := make([]*redis.StringCmd, len(names))
	for i, name := range names {
		commands[i] = pipeline.Get(ctx, name)
	}
	_, failed := pipeline.Exec(ctx)
	values := make([][]byte, len(names))
	for i, command := range commands {
		if command.Err() != nil {
			failed = nil // it is the error of this command
		}
		var err error
		if values[i], err = valueOf(command); err != nil {
			return nil, err
		}
	}
	// A connection that Redis refuses, for its password say, is in no command.
	return values, failed
}

// valueOf is nil where nothing is stored, which is no error. It is empty, which
// readers refuse, where a key has another type: that is no fault of Redis.
func valueOf(command *redis.StringCmd) ([]byte, error) {
	value, err := command.Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, nil
	case redis.HasErrorPrefix(err, "WRONGTYPE"):
		return []byte{}, nil
	}
	return value, err
}

// Set stores a value for a time, in whole milliseconds. Errors beside those of a
// Redis that fails: ErrRefused.
func (c *Client) Set(ctx context.Context, name string, value []byte, life time.Duration) error {
	err := c.pool.Set(ctx, name, value, life.Truncate(time.Millisecond)).Err()
	if isRefusal(err) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// isRefusal reports whether Redis is well and takes no value: it is full, a
// replica, cannot save, lacks its replicas, or forbids it.
func isRefusal(err error) bool {
	return redis.IsOOMError(err) || redis.IsReadOnlyError(err) || redis.IsNoReplicasError(err) ||
		redis.IsPermissionError(err) || redis.HasErrorPrefix(err, "MISCONF")
}
