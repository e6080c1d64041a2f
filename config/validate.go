package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits that the contract sets.
const (
	// The contract allows 15 s for a refresh of the directory, a search that began
	// before it, and an export's check of its scope together.
	maxRefresh   = 10 * time.Second
	keyLen       = 32
	maxCompanyID = 1<<31 - 1
	maxShards    = 1024 // limit of Elasticsearch
	minToken     = 1 << 10
	maxWorkers   = 64
)

// validate adds a fault for each value outside its limits.
func (c Config) validate(f *faults) {
	f.address("listen", c.Listen)
	f.address("admin.listen", c.Admin.Listen)
	c.validateEngine(f)
	c.Identity.validate(f)
	c.Directory.validate(f)
	f.check(c.Cache.MaxSize > 0, "cache.max_size", "must be above 0")
	c.Cache.validate(f)
	c.validateLog(f)
	c.Cursor.validate(f)
	c.HTTP.validate(f)
	// The default always passes: a gateway with smaller headers never gets such
	// tokens.
	fitting := c.Identity.MaxToken <= c.HTTP.MaxHeader || c.Identity.MaxToken == Default().Identity.MaxToken
	f.check(fitting, "identity.max_token", fmt.Sprintf("must be at most http.max_header (%s): a longer token never gets as far", c.HTTP.MaxHeader), "http.max_header")
	f.check(slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level), "log.level", "must be debug, info, warn or error")
	c.TLS.validate(f)
	c.Limits.validate(f)
	f.check(c.Limits.AccountInFlight >= c.HTTP.MaxPage, "limits.account_in_flight", fmt.Sprintf("must be at least http.max_page (%s): a larger page would never be sent", c.HTTP.MaxPage), "http.max_page")
	c.Audit.validate(f)
	c.Exports.validate(f)
}

func (e Exports) validate(f *faults) {
	f.check(e.AtOnce >= 1, "exports.at_once", "must be at least 1")
	f.check(e.PerAccount >= 1, "exports.per_account", "must be at least 1")
	f.check(e.PerCompany >= 0, "exports.per_company", "must not be negative")
	f.check(e.MaxRows >= 1, "exports.max_rows", "must be at least 1")
	f.check(e.StallTimeout >= time.Second, "exports.stall_timeout", "must be at least 1s")
	f.check(e.MaxDuration >= time.Second, "exports.max_duration", "must be at least 1s")
	f.check(e.TempMax > 0, "exports.temp_max", "must be above 0")
}

// Warnings returns one sentence for each value that is valid but is more often a
// mistake.
func (c Config) Warnings() []string {
	host, _, err := net.SplitHostPort(c.Admin.Listen)
	if address, _ := netip.ParseAddr(host); err == nil && host != "localhost" && !address.Unmap().IsLoopback() {
		return []string{"admin.listen: " + c.Admin.Listen + " can be reached from other machines, and nobody has to authenticate there: keep it off public networks"}
	}
	return nil
}

// validateForEngine is validate for commands that use only the engine and publish
// their changes in Redis.
func (c Config) validateForEngine(f *faults) {
	c.validateEngine(f)
	c.Audit.validate(f) // commands that write the directory use it too
	c.validateLog(f)
}

func (c Config) validateLog(f *faults) {
	c.Cache.validateKeys(f, len(c.Redis.Addresses) > 0)
	c.Redis.validate(f)
}

func (c Config) validateEngine(f *faults) {
	switch c.Engine {
	case EngineSQLite:
		f.check(c.SQLite.Dir != "", "sqlite.dir", "must name a folder")
		f.check(c.SQLite.MaxWAL >= 1<<20, "sqlite.max_wal", "must be at least 1MiB")
	case EngineElasticsearch:
		c.Elasticsearch.validate(f)
	default:
		f.check(false, "engine", "must be "+strings.Join(Engines(), " or "))
	}
}

// element returns the key of a list's element.
func element(key string, n int) string { return fmt.Sprintf("%s[%d]", key, n) }

func (f *faults) address(key, address string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	f.check(err == nil, key, "must be HOST:PORT, with a port of 0 to 65535")
}

func (e Elasticsearch) validate(f *faults) {
	f.check(len(e.Addresses) > 0, "elasticsearch.addresses", "must hold at least one URL of Elasticsearch")
	for n, address := range e.Addresses {
		u, err := url.Parse(address)
		key := element("elasticsearch.addresses", n)
		if ok := err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"); !ok {
			f.check(false, key, "must be an http or https URL")
			continue
		}
		f.check(u.User == nil, key, "must hold no credentials: they are elasticsearch.username and elasticsearch.password")
	}
	f.check(e.APIKey == "" || e.Username == "" && e.Password == "", "elasticsearch.api_key", "must not be given beside elasticsearch.username")
	f.check(e.CAFile == "" || slices.ContainsFunc(e.Addresses, isHTTPS), "elasticsearch.ca_file", "is of no use: no address of elasticsearch.addresses is https", "elasticsearch.addresses")
	f.check(indexName().MatchString(e.Index), "elasticsearch.index", "must have 1 to 100 small letters, digits, - and _, a letter or digit first")
	f.check(e.Shards >= 1 && e.Shards <= maxShards, "elasticsearch.shards", fmt.Sprintf("must be 1 to %d", maxShards))
	f.check(e.Replicas >= 0, "elasticsearch.replicas", "must not be negative")
	f.check(e.RefreshInterval == 0 || e.RefreshInterval >= time.Millisecond, "elasticsearch.refresh_interval", "must be 0s or at least 1ms")
	f.check(e.Workers >= 0 && e.Workers <= maxWorkers, "elasticsearch.workers", fmt.Sprintf("must be 0 to %d", maxWorkers))
}

func isHTTPS(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "https"
}

// indexName matches names that leave room for our suffixes and are not patterns.
func indexName() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,99}$`) }

func (i Identity) validate(f *faults) {
	f.check(len(i.Issuers) > 0, "identity.issuers", "must name at least one token issuer (`scopegate demo` tries the gateway out with one of its own)")
	f.check(i.CompanyClaim != "", "identity.company_claim", "must not be empty")
	f.check(i.RolesClaim != "", "identity.roles_claim", "must not be empty")
	f.check(i.SupervisorRole != "" || i.EveryoneSupervises, "identity.supervisor_role", "must not be empty, unless identity.everyone_supervises is true", "identity.everyone_supervises")
	f.check(i.MaxToken >= minToken, "identity.max_token", "must be at least 1KiB")
	seen := map[string]bool{}
	for n, issuer := range i.Issuers {
		key := element("identity.issuers", n)
		issuer.validate(f, key)
		f.check(!seen[issuer.Issuer] || issuer.Issuer == "", key+".issuer", "is named twice")
		f.check(len(i.Issuers) == 1 || len(issuer.Companies) > 0, key+".companies", "must name the companies whose subtrees the issuer may speak for, since there are several issuers")
		seen[issuer.Issuer] = true
	}
}

// algorithms are the asymmetric algorithms of RFC 7518 and RFC 8037.
func algorithms() []string {
	return []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
		"ES256", "ES384", "ES512", "EdDSA",
	}
}

func (i Issuer) validate(f *faults, key string) {
	f.check(i.Issuer != "", key+".issuer", "must be the iss of its tokens")
	f.check(keySetURL(i.JWKSURL), key+".jwks_url", "must be an https URL (http only on this machine)")
	f.check(len(i.Audiences) > 0, key+".audiences", "must name at least one audience")
	for n, audience := range i.Audiences {
		f.check(audience != "", element(key+".audiences", n), "must not be empty")
	}
	for n, algorithm := range i.Algorithms {
		f.check(slices.Contains(algorithms(), algorithm), element(key+".algorithms", n), fmt.Sprintf("%q is not one of %v", algorithm, algorithms()))
	}
	for n, id := range i.Companies {
		f.check(id >= 1 && id <= maxCompanyID, element(key+".companies", n), fmt.Sprintf("must be 1 to %d", maxCompanyID))
	}
}

// keySetURL requires https, or http on this machine: keys fetched over a network
// without TLS could come from anybody.
func keySetURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	address, _ := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || address.IsLoopback())
}

func (d Directory) validate(f *faults) {
	f.check(d.Refresh > 0 && d.Refresh <= maxRefresh, "directory.refresh", "must be above 0s and at most 10s: a company taken away must be invisible within 15s")
	f.check(d.MaxStale >= d.Refresh, "directory.max_stale", "must not be below directory.refresh", "directory.refresh")
}

// keys checks each key. A fault of one key does not hide those of others.
func (f *faults) keys(key string, secrets []Secret) {
	for n, secret := range secrets {
		_, err := decodeKey(secret)
		f.check(err == nil, element(key, n), "must be 32 bytes in base64; `openssl rand -base64 32` makes one")
	}
}

func (c Cursor) validate(f *faults) {
	f.keys("cursor.keys", c.Keys)
}

// Decoded returns the keys as bytes.
func (c Cursor) Decoded() ([][]byte, error) { return decodeKeys(c.Keys) }

// DecodedKeys returns the keys as bytes.
func (c Cache) DecodedKeys() ([][]byte, error) { return decodeKeys(c.Keys) }

// maxStale is a limit of the contract.
const maxStale = 10 * time.Minute

func (c Cache) validate(f *faults) {
	f.check(c.Fresh >= 0 && c.Fresh <= time.Minute, "cache.fresh", "must be 0s to 1m")
	f.check(c.Stale >= c.Fresh, "cache.stale", "must not be below cache.fresh", "cache.fresh")
	f.check(c.Stale <= maxStale, "cache.stale", "must be at most 10m")
	f.check(c.Watch == 0 || c.Watch >= time.Second && c.Watch <= time.Minute, "cache.watch", "must be 0s (never) or 1s to 1m")
	f.check(c.StaleIfError >= c.Stale, "cache.stale_if_error", "must not be below cache.stale", "cache.stale")
	f.check(c.StaleIfError <= maxStale, "cache.stale_if_error", "must be at most 10m")
}

// validateKeys requires keys with Redis: several gateways may share a Redis, and
// others may be able to read it.
func (c Cache) validateKeys(f *faults, shared bool) {
	f.keys("cache.keys", c.Keys)
	f.check(len(c.Keys) > 0 || !shared, "cache.keys", "must hold a key, since answers are kept in Redis; `openssl rand -base64 32` makes one")
}

func (r Redis) validate(f *faults) {
	for n, address := range r.Addresses {
		f.address(element("redis.addresses", n), address)
	}
	f.check(r.DB >= 0, "redis.db", "must not be negative")
	f.check(r.DB == 0 || !r.Cluster && (r.MasterName != "" || len(r.Addresses) <= 1), "redis.db", "must be 0: a cluster has no other", "redis.addresses", "redis.cluster", "redis.master_name")
	f.check(r.CAFile == "" || r.TLS, "redis.ca_file", "is of no use while redis.tls is false", "redis.tls")
	f.check(r.Budget > 0 && r.Budget <= time.Second, "redis.budget", "must be above 0s and at most 1s")
}

func decodeKeys(secrets []Secret) ([][]byte, error) {
	var keys [][]byte
	for _, secret := range secrets {
		key, err := decodeKey(secret)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func decodeKey(secret Secret) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(secret.Reveal())
	if err != nil || len(key) != keyLen {
		return nil, errors.New("not 32 bytes in base64")
	}
	return key, nil
}

func (h HTTP) validate(f *faults) {
	f.check(h.RequestTimeout > 0, "http.request_timeout", "must be above 0s")
	f.check(h.MaxBody > 0, "http.max_body", "must be above 0")
	f.check(h.MaxHeader >= 4<<10, "http.max_header", "must be at least 4KiB")
	f.check(h.DrainDelay >= 0, "http.drain_delay", "must not be negative")
	f.check(h.StopTimeout > 0, "http.stop_timeout", "must be above 0s")
	for n, proxy := range h.TrustedProxies {
		_, addressErr := netip.ParseAddr(proxy)
		_, prefixErr := netip.ParsePrefix(proxy)
		f.check(addressErr == nil || prefixErr == nil, element("http.trusted_proxies", n), fmt.Sprintf("%q is neither an address nor a CIDR range", proxy))
	}
	known := slices.ContainsFunc(ForwardedHeaders(), func(name string) bool { return strings.EqualFold(name, h.ForwardedHeader) })
	f.check(known, "http.forwarded_header", "must be "+strings.Join(ForwardedHeaders(), ", or "))
	f.check(h.MaxURL >= 1<<10, "http.max_url", "must be at least 1KiB")
	f.check(h.MaxPage >= 1<<20, "http.max_page", "must be at least 1MiB, which one session may have")
	f.check(h.MaxConnections >= 1, "http.max_connections", "must be at least 1")
	f.check(h.MaxRequests >= 1, "http.max_requests", "must be at least 1")
	f.check(h.StallTimeout >= time.Second, "http.stall_timeout", "must be at least 1s")
	for n, origin := range h.CORSOrigins {
		f.check(isOrigin(origin), element("http.cors_origins", n), fmt.Sprintf("%q is not an origin as browsers write it: https://HOST[:PORT] in lower case, without the usual port, a path or *", origin))
	}
}

// isOrigin reports whether the text is exactly what a browser sends as Origin (RFC
// 6454, section 6.2): any other text would match no page, or too many.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || strings.ContainsAny(u.Host, "*, ") {
		return false
	}
	usual := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return usual != "" && u.Port() != usual && !strings.HasSuffix(u.Host, ":") && text == strings.ToLower(u.Scheme+"://"+u.Host)
}

func (t TLS) validate(f *faults) {
	f.check(t.CertFile != "" || t.KeyFile == "", "tls.cert_file", "must be set together with tls.key_file, or neither", "tls.key_file")
	f.check(t.KeyFile != "" || t.CertFile == "", "tls.key_file", "must be set together with tls.cert_file, or neither", "tls.cert_file")
}

func (a Audit) validate(f *faults) {
	f.check(!strings.HasSuffix(a.File, "/") && a.File != "-", "audit.file", "must name a file; leave it empty for standard error")
}

// maxLimit is more than any gateway can answer.
const maxLimit = 1_000_000_000

func (l Limits) validate(f *faults) {
	for _, limit := range []struct {
		key string
		Limit
	}{{"limits.address", l.Address}, {"limits.account", l.Account}, {"limits.company", l.Company}} {
		f.check(limit.PerMinute >= 0 && limit.PerMinute <= maxLimit, limit.key+".per_minute", "must be 0 (no limit) to 1000000000")
		f.check(limit.Burst >= 1 && limit.Burst <= maxLimit, limit.key+".burst", "must be 1 to 1000000000")
	}
	f.check(l.InFlight >= l.AccountInFlight, "limits.in_flight", "must not be below limits.account_in_flight", "limits.account_in_flight")
	f.check(l.AccountLoads == 0 || l.AccountLoads >= 2 && l.AccountLoads <= maxLimit, "limits.account_loads",
		"must be 0 (no limit) or 2 to 1000000000: a search is two loads, its count and its page")
	f.check(l.EngineLoads == 0 || l.EngineLoads >= 4 && l.EngineLoads <= maxLimit, "limits.engine_loads", "must be 0 (no limit) or 4 to 1000000000")
	f.check(l.EngineLoads == 0 || l.QueueWait > 0, "limits.queue_wait", "must be above 0")
}
