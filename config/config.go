package config

import "time"

// Config is every setting of `scopegate serve`. The yaml tag is a setting's
// name in the file; the dotted path of names is its key for --set, and its
// variable is SCOPEGATE_ followed by that key in capitals, dots as underscores.
type Config struct {
	Listen        string        `yaml:"listen"` // HOST:PORT of the API
	Admin         Admin         `yaml:"admin"`
	Engine        string        `yaml:"engine"` // what sessions are kept in: EngineSQLite or EngineElasticsearch
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

// Admin is the listener for health, metrics and recent traces.
type Admin struct {
	Listen string `yaml:"listen"` // HOST:PORT; keep it off public networks
}

// SQLite is the embedded engine.
type SQLite struct {
	Dir    string `yaml:"dir"`     // the data folder
	MaxWAL Size   `yaml:"max_wal"` // of the write-ahead log: beyond, no export begins until those under way have ended
}

// Elasticsearch is the engine on a cluster.
type Elasticsearch struct {
	Addresses []string `yaml:"addresses"` // http or https URLs of the cluster's nodes, without credentials
	Username  string   `yaml:"username"`
	Password  Secret   `yaml:"password"`
	APIKey    Secret   `yaml:"api_key"` // instead of a user
	CAFile    string   `yaml:"ca_file"` // PEM; empty: the system's authorities
	Index     string   `yaml:"index"`   // what all names of indices and aliases begin with
	// For the indices that `scopegate index create` makes.
	Shards          int           `yaml:"shards"`
	Replicas        int           `yaml:"replicas"`
	RefreshInterval time.Duration `yaml:"refresh_interval"` // how long what other producers write may stay unseen; 0: Elasticsearch's default
	Workers         int           `yaml:"workers"`          // bulk requests of an import at a time; 0: one for each processor, four at most
}

// Identity says whose tokens are believed and what is read from them.
type Identity struct {
	Issuers            []Issuer `yaml:"issuers"`
	CompanyClaim       string   `yaml:"company_claim"`
	RolesClaim         string   `yaml:"roles_claim"`
	SupervisorRole     string   `yaml:"supervisor_role"`
	EveryoneSupervises bool     `yaml:"everyone_supervises"` // no role is required to supervise
	MaxToken           Size     `yaml:"max_token"`           // the longest token; at most HTTP.MaxHeader, which it counts towards
	Revocations        string   `yaml:"revocations"`         // NDJSON of tokens and accounts taken back; empty: none
}

// Issuer is one token issuer of the allow-list.
type Issuer struct {
	Issuer     string   `yaml:"issuer"`     // the exact iss of its tokens
	JWKSURL    string   `yaml:"jwks_url"`   // https, or http on this machine
	Audiences  []string `yaml:"audiences"`  // a token must carry one of them
	Algorithms []string `yaml:"algorithms"` // empty: all asymmetric ones
	Companies  []uint32 `yaml:"companies"`  // the subtrees it may speak for; needed with several issuers
}

// Directory is where companies and grants come from.
type Directory struct {
	File     string        `yaml:"file"`      // NDJSON of companies and grants; empty: the engine's own
	Refresh  time.Duration `yaml:"refresh"`   // how often changes are looked for, in identity.revocations too
	MaxStale time.Duration `yaml:"max_stale"` // searches fail closed when it could not be read for so long
}

// Cache is the cache of counts and pages.
type Cache struct {
	MaxSize Size          `yaml:"max_size"` // of the tier in process
	Fresh   time.Duration `yaml:"fresh"`    // how long an answer is served without asking again; 0: no cache
	// Where changes are told of (by the embedded engine, or in Redis), answers
	// that no change has touched are served, while they are being renewed, up to
	// the age of Stale, and when the engine fails up to that of StaleIfError. As
	// long as Fresh: not at all.
	Stale        time.Duration `yaml:"stale"`
	StaleIfError time.Duration `yaml:"stale_if_error"`
	// Watch is how often Elasticsearch is asked whether searches may find
	// something else, for writers that tell nobody; 0: never.
	Watch time.Duration `yaml:"watch"`
	// Keys of 32 bytes, base64, seal what is kept in Redis: the first seals, all
	// open. Required with Redis.
	Keys []Secret `yaml:"keys"`
	// Namespace keeps apart gateways over different data that share a Redis.
	Namespace string `yaml:"namespace"`
}

// Redis is the second tier of the cache, shared by gateways. No address: there
// is none.
type Redis struct {
	Addresses        []string      `yaml:"addresses"`   // HOST:PORT of the server, of a cluster's nodes, or of Sentinels
	Cluster          bool          `yaml:"cluster"`     // a single address is a cluster's
	MasterName       string        `yaml:"master_name"` // what Sentinels call the server
	Username         string        `yaml:"username"`
	Password         Secret        `yaml:"password"`
	SentinelUsername string        `yaml:"sentinel_username"`
	SentinelPassword Secret        `yaml:"sentinel_password"`
	DB               int           `yaml:"db"`
	TLS              bool          `yaml:"tls"`
	CAFile           string        `yaml:"ca_file"` // PEM; empty: the system's authorities
	Budget           time.Duration `yaml:"budget"`  // how long a search waits for it before it goes on without
}

// Cursor seals the cursors of Link headers.
type Cursor struct {
	// Keys of 32 bytes, base64: the first seals, all open. Empty: a random one,
	// so that cursors die with the process.
	Keys []Secret `yaml:"keys"`
}

// ForwardedHeaders are the values of HTTP.ForwardedHeader.
func ForwardedHeaders() []string { return []string{"X-Forwarded-For", "Forwarded", "X-Real-IP"} }

// HTTP bounds what a request may cost.
type HTTP struct {
	RequestTimeout time.Duration `yaml:"request_timeout"`
	MaxBody        Size          `yaml:"max_body"`
	MaxHeader      Size          `yaml:"max_header"`
	DrainDelay     time.Duration `yaml:"drain_delay"` // between failing readiness and closing the listener
	StopTimeout    time.Duration `yaml:"stop_timeout"`
	TrustedProxies []string      `yaml:"trusted_proxies"` // addresses or CIDR ranges whose ForwardedHeader counts
	// ForwardedHeader is where they write whom a request is from: one of
	// ForwardedHeaders, in any case.
	ForwardedHeader string   `yaml:"forwarded_header"`
	MaxURL          Size     `yaml:"max_url"`      // counts towards MaxHeader too
	MaxPage         Size     `yaml:"max_page"`     // bytes of the rows of one page
	CORSOrigins     []string `yaml:"cors_origins"` // whose pages may call the API: https://HOST[:PORT]; empty: none
	// Of the API's listener, in this process.
	MaxConnections int `yaml:"max_connections"` // open at a time
	MaxRequests    int `yaml:"max_requests"`    // being answered at a time
	// StallTimeout is how long a reader may take for the next 32 KiB of an answer.
	StallTimeout time.Duration `yaml:"stall_timeout"`
}

// Log is the log on standard error.
type Log struct {
	Level string `yaml:"level"` // debug, info, warn, error
}

// TLS is the certificate of the API's listener; without files it is in clear.
type TLS struct {
	CertFile string `yaml:"cert_file"` // PEM: the certificate, then those above it
	KeyFile  string `yaml:"key_file"`  // PEM
}

// Limits are the budgets of callers. A page costs 1, what is more work costs
// more.
type Limits struct {
	Address Limit `yaml:"address"` // of an address, for requests without a good token
	Account Limit `yaml:"account"`
	Company Limit `yaml:"company"` // of all accounts of a company together
	// AccountLoads is how many loads one account may have under way in the
	// engine, in this process: a search is two, its count and its page. 0: any
	// number.
	AccountLoads int `yaml:"account_loads"`
	// Bytes of answers, exports aside, that callers have yet to read, in this
	// process: of one account, and of all.
	AccountInFlight Size `yaml:"account_in_flight"`
	InFlight        Size `yaml:"in_flight"`
}

// Limit is one budget.
type Limit struct {
	PerMinute int `yaml:"per_minute"` // what comes back in a minute, evenly; 0: there is no limit
	Burst     int `yaml:"burst"`      // what may be spent at once
}

// Exports bound what exports may take.
type Exports struct {
	AtOnce       int           `yaml:"at_once"`       // that run at once, in this process
	PerAccount   int           `yaml:"per_account"`   // of those, of one account
	PerCompany   int           `yaml:"per_company"`   // of those, of all accounts of a company; 0: half of them
	MaxRows      int           `yaml:"max_rows"`      // of one export
	StallTimeout time.Duration `yaml:"stall_timeout"` // a reader that takes nothing for so long is cut off
	MaxDuration  time.Duration `yaml:"max_duration"`  // how long one may run, holding a snapshot of the engine
	TempDir      string        `yaml:"temp_dir"`      // where workbooks grow; empty: the system's
	TempMax      Size          `yaml:"temp_max"`      // what they may take there, all together
}

// Audit is the record of who changed or took out what; unlike the log, it names
// accounts.
type Audit struct {
	File string `yaml:"file"` // JSON lines, appended; empty: standard error
}

// Default is the configuration that settings are laid over.
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
		// Far above what people do, and below what a program gone wrong does.
		Limits: Limits{
			Address: Limit{PerMinute: 1200, Burst: 600},
			Account: Limit{PerMinute: 3000, Burst: 1000},
			Company: Limit{PerMinute: 12000, Burst: 4000},
			// Three times what a person's page full of searches needs.
			AccountLoads: 16,
			// The largest page that there may be.
			AccountInFlight: 64 << 20,
			InFlight:        192 << 20,
		},
	}
}
