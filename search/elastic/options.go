package elastic

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/scopegate/scopegate/search"
)

// Defaults of Options.
const (
	DefaultIndex  = "scopegate"
	DefaultShards = 1
	maxWorkers    = 4
)

// Options configure the connection to Elasticsearch and new indices. Addresses is
// required.
type Options struct {
	// Addresses are the URLs (http or https) of one cluster's nodes. A request goes
	// to one of them, and to the next one when it can't be connected to.
	Addresses []string
	Username  string
	Password  string
	APIKey    string // base64, as Elasticsearch shows it; instead of Username
	CAFile    string // PEM file of trusted certificate authorities
	CACert    []byte // content of such a file; instead of CAFile

	// Index is the prefix of the names of all indices and aliases; "":
	// DefaultIndex.
	Index string
	// Shards and Replicas are for indices that Create makes; Shards 0:
	// DefaultShards. Companies and grants are small and have one shard.
	Shards   int
	Replicas int
	// RefreshInterval, for indices that Create makes, is how long writes of others
	// may stay invisible. 0: Elasticsearch's default, which saves work for shards
	// that nobody searches. Writes of this process are visible at once.
	RefreshInterval time.Duration

	// Workers is the number of bulk requests of one Write that run at a time; 0:
	// one per processor, at most four.
	Workers int

	// MaxPageBytes is the largest size of the rows of one page, in bytes; above it
	// a search fails with search.ErrPageTooLarge. 0: search.DefaultMaxPageBytes.
	MaxPageBytes int64

	// Transport, if set, sends the requests; CAFile and CACert then have no effect.
	Transport http.RoundTripper
}

func (o Options) withDefaults() Options {
	o.Index = cmp.Or(o.Index, DefaultIndex)
	o.Shards = cmp.Or(o.Shards, DefaultShards)
	o.Workers = cmp.Or(o.Workers, min(maxWorkers, runtime.GOMAXPROCS(0)))
	o.MaxPageBytes = cmp.Or(o.MaxPageBytes, search.DefaultMaxPageBytes)
	return o
}

// validate reports all faults at once. None of them shows an address, which may
// contain a password.
func (o Options) validate() error {
	var faults []error
	if len(o.Addresses) == 0 {
		faults = append(faults, errors.New("addresses: at least one URL of Elasticsearch is needed"))
	}
	for i, address := range o.Addresses {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			faults = append(faults, fmt.Errorf("addresses: number %d is no http or https URL", i+1))
		}
	}
	if !isIndexName(o.Index) {
		faults = append(faults, errors.New("index: must have 1 to 100 small letters, digits, - and _, a letter or digit first"))
	}
	if o.APIKey != "" && (o.Username != "" || o.Password != "") {
		faults = append(faults, errors.New("api key and username: only one of them may be given"))
	}
	if o.CAFile != "" && len(o.CACert) > 0 {
		faults = append(faults, errors.New("CA file and CA certificate: only one of them may be given"))
	}
	if o.Shards < 0 || o.Replicas < 0 || o.Workers < 0 || o.RefreshInterval < 0 || o.MaxPageBytes < 0 {
		faults = append(faults, errors.New("shards, replicas, workers, refresh interval, page bytes: must not be negative"))
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("elasticsearch: %w", errors.Join(faults...))
}

// isIndexName is stricter than Elasticsearch: the name must stay valid with our
// suffixes, and must not be a pattern.
func isIndexName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	return name != "" && len(name) <= 100 &&
		strings.Contains(letters, name[:1]) && strings.Trim(name, letters+"-_") == ""
}

func (o Options) authorities() ([]byte, error) {
	if o.CAFile == "" {
		return o.CACert, nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: CA file: %w", err)
	}
	return bytes.TrimPrefix(pem, []byte("\uFEFF")), nil // some editors write a byte order mark, which PEM does not allow
}
