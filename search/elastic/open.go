package elastic

import (
	"context"
	"fmt"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Store is the engine. It is safe for use by several goroutines.
type Store struct {
	options Options
	client  *client
	limits  limits
	steps   schema.List // tests replace it
	anchors *paging.Anchors
	fits    fitness
}

var (
	_ search.Searcher    = (*Store)(nil)
	_ search.Snapshotter = (*Store)(nil)
	_ search.Summarizer  = (*Store)(nil)
	_ session.Writer     = (*Store)(nil)
	_ tenancy.Source     = (*Store)(nil)
)

// limits are limits of Elasticsearch, and sizes of our requests; tests lower them.
type limits struct {
	window         int // number of hits that one search can reach
	terms          int // values of an axis that one search returns
	clientsAtOnce  int // clients that one search returns
	mostClients    int // clients of a query with NewestOfClient
	mostOfClients  int // matching sessions of such a query
	anchorEvery    int // rows between anchors: little more is skipped after one
	batchBytes     int // target size of a batch of a snapshot
	batchRows      int // most rows of a batch of a snapshot
	firstRows      int // rows of its first batch: rows may be large
	maxBytes       int // most bytes of a batch with more than one row
	sampleRows     int // least rows of a snapshot by id for which ids are sampled
	directoryBytes int // most bytes of an answer with companies or grants

	bulkBytes int // of one bulk request, without its last line
	bulkLines int // a bulk request with fewer lines is not divided among workers

	lockLease time.Duration // after it, a lock that was not renewed is free
	lockWait  time.Duration // how long to wait for a lock that others hold

	retryFor time.Duration // how long to retry while Elasticsearch is busy

	// noticed is the time after which every gateway has noticed that aliases were
	// moved: more than twice fitsFor.
	noticed     time.Duration
	followEvery time.Duration // pause between passes over what others write
	copyRows    int           // most documents that a migration reads at a time
}

func defaultLimits() limits {
	return limits{
		window: 10_000, terms: 10_000, anchorEvery: 25,
		clientsAtOnce: 10_000, mostClients: search.MaxClients, mostOfClients: search.MaxOfClients,
		batchBytes: paging.TargetBytes, batchRows: 2000, firstRows: 50, maxBytes: 8 * paging.TargetBytes, sampleRows: 20_000,
		directoryBytes: maxAnswer,
		bulkBytes:      8 << 20, bulkLines: 250,
		lockLease: 15 * time.Second, lockWait: time.Minute,
		retryFor: 20 * time.Second,
		noticed:  9 * fitsFor / 4, followEvery: 500 * time.Millisecond, copyRows: 2000,
	}
}

// Open makes a Store from the options. It does not wait for Elasticsearch, which
// may be down: see Ping. Errors: invalid options, a CA file that cannot be read.
func Open(_ context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	c, err := newClient(o)
	if err != nil {
		return nil, err
	}
	return &Store{options: o, client: c, limits: defaultLimits(), steps: schema.Steps(), anchors: paging.NewAnchors(anchorBytes)}, nil
}

// Close closes the connections. Later searches and writes fail with
// search.ErrUnavailable.
func (s *Store) Close() error {
	s.client.close()
	return nil
}

// kind describes one of the three kinds of indices.
type kind struct {
	word string
	of   session.Kind
}

func kinds() []kind {
	return []kind{
		{"sessions", session.KindSession},
		{"companies", session.KindCompany},
		{"grants", session.KindGrant},
	}
}

// names are the names of one kind of index.
type names struct {
	read, write string // aliases
}

func (s *Store) names(of session.Kind) names {
	for _, k := range kinds() {
		if k.of == of {
			read := s.options.Index + "-" + k.word
			return names{read: read, write: read + "-write"}
		}
	}
	panic(fmt.Sprintf("elastic: change of unknown kind %d", of))
}

// first returns the name of the first index of the kind; migrations increase the
// number.
func (n names) first() string { return n.read + "-000001" }
