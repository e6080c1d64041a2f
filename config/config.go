package config

import "time"

// Config holds every setting of `scopegate serve`. The yaml tag is a setting's name
// in the file. The dotted path of names is its key for --set. Its environment
// variable is SCOPEGATE_ followed by that key in capitals, with underscores for
// dots.
type Config struct {
	Listen        string        `yaml:"listen"` // HOST:PORT of the API
	Admin         Admin         `yaml:"admin"`
	Engine        string        `yaml:"engine"` // the engine that stores sessions: EngineSQLite or EngineElasticsearch
	SQLite        SQLite        `yaml:"sqlite"`
	Elasticsearch Elasticsearch `yaml:"elasticsearch"`
	Identity      Identity      `yaml:"identity"`
	Directory     Directory     `yaml:"directory"`
	Cache         Cache         `yaml:"cache"`
	Redis         Redis         `yaml:"redis"`
	Cursor        Cursor        `yaml:"cursor"`
	HTTP          HTTP          `yaml:"http"`
	Log           Log           `yaml:"log"`
	TLS           TLS           `yaml:"tls"`
	Limits        Limits        `yaml:"limits"`
	Audit         Audit         `yaml:"audit"`
	Exports       Exports       `yaml:"exports"`
}

// Values of Config.Engine.
const (
	EngineSQLite        = "sqlite" // embedded
	EngineElasticsearch = "elasticsearch"
)

// Engines lists the values of the setting engine.
func Engines() []string { return []string{EngineSQLite, EngineElasticsearch} }

// Admin is the listener for health, metrics and recent traces.
type Admin struct {
	Listen string `yaml:"listen"` // HOST:PORT; keep it off public networks
}

// SQLite configures the embedded engine.
type SQLite struct {
	Dir    string `yaml:"dir"`     // the data folder
	MaxWAL Size   `yaml:"max_wal"` // of the write-ahead log: above it no export begins until the running ones have ended
}

// Elasticsearch configures the engine on a cluster.
type Elasticsearch struct {
	Addresses []string `yaml:"addresses"` // http or https URLs of the cluster's nodes, without credentials
	Username  string   `yaml:"username"`
	Password  Secret   `yaml:"password"`
	APIKey    Secret   `yaml:"api_key"` // instead of a user
	CAFile    string   `yaml:"ca_file"` // PEM; empty: the system's certificate authorities
	Index     string   `yaml:"index"`   // prefix of the names of all indices and aliases
	// For the indices that `scopegate index create` makes.
	Shards          int           `yaml:"shards"`
	Replicas        int           `yaml:"replicas"`
	RefreshInterval time.Duration `yaml:"refresh_interval"` // how long writes of other producers may stay invisible; 0: Elasticsearch's default
	Workers         int           `yaml:"workers"`          // bulk requests of an import at a time; 0: one per processor, at most four
}

// Identity configures which tokens are accepted and what is read from them.
type Identity struct {
	Issuers            []Issuer `yaml:"issuers"`
	CompanyClaim       string   `yaml:"company_claim"`
	RolesClaim         string   `yaml:"roles_claim"`
	SupervisorRole     string   `yaml:"supervisor_role"`
	EveryoneSupervises bool     `yaml:"everyone_supervises"` // no role is required to supervise
	MaxToken           Size     `yaml:"max_token"`           // the longest token; at most HTTP.MaxHeader, which it counts towards
	Revocations        string   `yaml:"revocations"`         // NDJSON of revoked tokens and accounts; empty: none
}

// Issuer is one token issuer of the allow-list.
type Issuer struct {
	Issuer     string   `yaml:"issuer"`     // the exact iss of its tokens
	JWKSURL    string   `yaml:"jwks_url"`   // https, or http on this machine
	Audiences  []string `yaml:"audiences"`  // a token must carry one of them
	Algorithms []string `yaml:"algorithms"` // empty: all asymmetric ones
	Companies  []uint32 `yaml:"companies"`  // the subtrees that its tokens may name; required with several issuers
}

// Directory configures where companies and grants come from.
type Directory struct {
	File     string        `yaml:"file"`      // NDJSON of companies and grants; empty: the engine's own
	Refresh  time.Duration `yaml:"refresh"`   // interval of checks for changes, of identity.revocations too
	MaxStale time.Duration `yaml:"max_stale"` // searches fail closed when it could not be read for this long
}

// Cache configures the cache of counts and pages.
type Cache struct {
	MaxSize Size          `yaml:"max_size"` // of the tier in the process
	Fresh   time.Duration `yaml:"fresh"`    // how long an answer is served without asking the engine again; 0: no cache
	// With an invalidation log (of the embedded engine, or in Redis), answers that
	// no change has invalidated are served up to the age Stale while they are
	// refreshed, and up to the age StaleIfError when the engine fails. A value
	// equal to Fresh turns this off.
	Stale        time.Duration `yaml:"stale"`
	StaleIfError time.Duration `yaml:"stale_if_error"`
	// Watch is the interval at which Elasticsearch is checked for changes of
	// writers that do not announce them; 0: never.
	Watch time.Duration `yaml:"watch"`
	// Keys of 32 bytes, base64, encrypt what is stored in Redis: the first one
	// encrypts, all decrypt. Required with Redis.
	Keys []Secret `yaml:"keys"`
	// Namespace separates gateways over different data that share a Redis.
	Namespace string `yaml:"namespace"`
}

// Redis configures the second tier of the cache, shared by gateways. Without
// addresses there is none.
type Redis struct {
	Addresses        []string      `yaml:"addresses"`   // HOST:PORT of the server, of a cluster's nodes, or of Sentinels
	Cluster          bool          `yaml:"cluster"`     // a single address belongs to a cluster
	MasterName       string        `yaml:"master_name"` // the server's name at the Sentinels
	Username         string        `yaml:"username"`
	Password         Secret        `yaml:"password"`
	SentinelUsername string        `yaml:"sentinel_username"`
	SentinelPassword Secret        `yaml:"sentinel_password"`
	DB               int           `yaml:"db"`
	TLS              bool          `yaml:"tls"`
	CAFile           string        `yaml:"ca_file"` // PEM; empty: the system's certificate authorities
	Budget           time.Duration `yaml:"budget"`  // how long a search waits for Redis before it continues without it
}

// Cursor configures the encryption of the cursors in Link headers.
type Cursor struct {
	// Keys of 32 bytes, base64: the first one encrypts, all decrypt. Empty: a
	// random key, so that cursors are invalid after a restart.
	Keys []Secret `yaml:"keys"`
}

// ForwardedHeaders are the values of HTTP.ForwardedHeader.
func ForwardedHeaders() []string { return []string{"X-Forwarded-For", "Forwarded", "X-Real-IP"} }

// HTTP limits the resources of requests.
type HTTP struct {
	RequestTimeout time.Duration `yaml:"request_timeout"`
	MaxBody        Size          `yaml:"max_body"`
	MaxHeader      Size          `yaml:"max_header"`
	DrainDelay     time.Duration `yaml:"drain_delay"` // between failing readiness and closing the listener
	StopTimeout    time.Duration `yaml:"stop_timeout"`
	TrustedProxies []string      `yaml:"trusted_proxies"` // addresses or CIDR ranges of proxies whose ForwardedHeader is trusted
	// ForwardedHeader is the header in which they write the client's address: one
	// of ForwardedHeaders, in any case.
	ForwardedHeader string   `yaml:"forwarded_header"`
	MaxURL          Size     `yaml:"max_url"`      // counts towards MaxHeader too
	MaxPage         Size     `yaml:"max_page"`     // bytes of the rows of one page
	CORSOrigins     []string `yaml:"cors_origins"` // origins whose pages may call the API: https://HOST[:PORT]; empty: none
	// Limits of the API's listener in this process.
	MaxConnections int `yaml:"max_connections"` // open at a time
	MaxRequests    int `yaml:"max_requests"`    // in progress at a time
	// StallTimeout is how long a client may take to read the next 32 KiB of an
	// answer.
	StallTimeout time.Duration `yaml:"stall_timeout"`
}

// Log configures the log on standard error.
type Log struct {
	Level string `yaml:"level"` // debug, info, warn, error
}

// TLS configures the certificate of the API's listener; without files it uses plain
// HTTP.
type TLS struct {
	CertFile string `yaml:"cert_file"` // PEM: the certificate, then its intermediate certificates
	KeyFile  string `yaml:"key_file"`  // PEM
}

// Limits are the rate limits of callers. A page costs 1; more expensive requests
// cost more.
type Limits struct {
	Address Limit `yaml:"address"` // of an address, for requests without a valid token
	Account Limit `yaml:"account"`
	Company Limit `yaml:"company"` // of all accounts of a company together
	// AccountLoads is the number of loads that one account may have running in the
	// engine, in this process: a search has two, its count and its page. 0: no
	// limit.
	AccountLoads int `yaml:"account_loads"`
	// EngineLoads is the highest cost of all loads that run in the engine at a time,
	// in this process. The limit itself is set by measuring. 0: no limit.
	EngineLoads int `yaml:"engine_loads"`
	// QueueWait is how long a load waits for its turn in the engine.
	QueueWait time.Duration `yaml:"queue_wait"`
	// Bytes of answers, without exports, that clients have not read yet, in this
	// process: of one account, and of all accounts.
	AccountInFlight Size `yaml:"account_in_flight"`
	InFlight        Size `yaml:"in_flight"`
}

// Limit is one rate limit.
type Limit struct {
	PerMinute int `yaml:"per_minute"` // how much is refilled per minute, evenly; 0: no limit
	Burst     int `yaml:"burst"`      // how much may be used at once
}

// Exports limits the resources of exports.
type Exports struct {
	AtOnce       int           `yaml:"at_once"`       // running at a time, in this process
	PerAccount   int           `yaml:"per_account"`   // of those, by one account
	PerCompany   int           `yaml:"per_company"`   // of those, by all accounts of a company; 0: half of them
	MaxRows      int           `yaml:"max_rows"`      // of one export
	StallTimeout time.Duration `yaml:"stall_timeout"` // a client that reads nothing for this long is disconnected
	MaxDuration  time.Duration `yaml:"max_duration"`  // the longest duration of one, during which it holds a snapshot of the engine
	TempDir      string        `yaml:"temp_dir"`      // where temporary files of workbooks are stored; empty: the system's folder
	TempMax      Size          `yaml:"temp_max"`      // their largest size, all together
}

// Audit is the record of who changed or exported what. Unlike the log, it names
// accounts.
type Audit struct {
	File string `yaml:"file"` // JSON lines, appended; empty: standard error
}

// Default returns the configuration that settings are applied to.
func Default() Config {
	return Config{
		Listen:        "127.0.0.1:8080",
		Admin:         Admin{Listen: "127.0.0.1:9090"},
		Engine:        EngineSQLite,
		SQLite:        SQLite{Dir: "scopegate-data", MaxWAL: 512 << 20},
		Elasticsearch: Elasticsearch{Index: "scopegate", Shards: 1, Replicas: 1},
		Identity: Identity{
			CompanyClaim:   "company_id",
			RolesClaim:     "roles",
			SupervisorRole: "supervisor",
			MaxToken:       16 << 10,
		},
		Directory: Directory{Refresh: 2 * time.Second, MaxStale: time.Minute},
		Cache:     Cache{MaxSize: 256 << 20, Fresh: 5 * time.Second, Stale: time.Minute, StaleIfError: 10 * time.Minute},
		Redis:     Redis{Budget: 25 * time.Millisecond},
		HTTP: HTTP{
			RequestTimeout:  30 * time.Second,
			MaxBody:         1 << 20,
			MaxHeader:       32 << 10,
			DrainDelay:      0,
			StopTimeout:     30 * time.Second,
			MaxURL:          24 << 10,
			MaxPage:         64 << 20,
			ForwardedHeader: "X-Forwarded-For",
			MaxConnections:  512,
			MaxRequests:     1024,
			StallTimeout:    10 * time.Second,
		},
		Log: Log{Level: "info"},
		Exports: Exports{
			AtOnce: 8, PerAccount: 2, MaxRows: 5_000_000, StallTimeout: 30 * time.Second, MaxDuration: time.Hour,
			TempMax: 8 << 30,
		},
		// Far above what people do, and below what a faulty program does.
		Limits: Limits{
			Address: Limit{PerMinute: 1200, Burst: 600},
			Account: Limit{PerMinute: 3000, Burst: 1000},
			Company: Limit{PerMinute: 12000, Burst: 4000},
			// Three times what one person's page of searches needs.
			AccountLoads: 16,
			EngineLoads:  256,
			QueueWait:    time.Second,
			// The size of the largest page.
			AccountInFlight: 64 << 20,
			InFlight:        192 << 20,
		},
	}
}
