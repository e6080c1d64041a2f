package elastic

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

const (
	// fitsFor is how long the sessions' index is searched without asking again
	// what it is: an alias may lead elsewhere, and settings change, at any time.
	fitsFor = 2 * time.Second
	// inspectTimeout is for asking again: searches go on when it is slow.
	inspectTimeout = time.Second
)

// fitness is what is known of the index that sessions are read from.
type fitness struct {
	known  atomic.Pointer[verdict] // nil: it has not been asked for
	asking sync.Mutex              // held by the one who asks
}

// verdict is what was found.
type verdict struct {
	err    error // nil: the index can be searched
	shards int   // 0: not known
	asked  time.Time
}

// Ping reports why searches cannot be answered: Elasticsearch does not answer,
// ErrNoIndex, ErrSchema, ErrSeveral, ErrClosed, ErrLimit, or an error of a search
// for nothing but that too many searches are under way.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.inspect(ctx); err != nil {
		return err
	}
	var a answer
	err := s.client.call(ctx, esapi.SearchRequest{
		Index: []string{s.names(session.KindSession).read}, Size: new(int), TrackTotalHits: false,
		AllowPartialSearchResults: new(false), FilterPath: paths("timed_out _shards"), Instrument: s.client.instrument,
	}, &a)
	switch {
	case errors.Is(err, errTurnedAway):
		// The next search may be answered, and callers who are sent to others would
		// ask the same Elasticsearch.
		return nil
	case err != nil:
		return err
	}
	return a.check(false)
}

// checked reports why the sessions' index cannot be searched. One of the callers
// asks again every fitsFor, and always while it cannot be searched.
func (s *Store) checked(ctx context.Context) error {
	known := s.fits.known.Load()
	if known != nil && known.err == nil && time.Since(known.asked) < fitsFor {
		return nil
	}
	if known == nil {
		return s.inspect(ctx)
	}
	if !s.fits.asking.TryLock() {
		return known.err
	}
	defer s.fits.asking.Unlock()
	if known.err != nil {
		return s.inspect(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	err := s.inspect(limited)
	if err == nil || isVerdict(err) {
		return err
	}
	// Nothing is known that speaks against the search. It will find out itself.
	s.fits.known.Store(&verdict{shards: known.shards, asked: time.Now()})
	return nil
}

// Ready reports why nothing can be written, as checked does. While Elasticsearch is
// too busy to answer, it is asked again for about twenty seconds.
func (s *Store) Ready(ctx context.Context) error {
	err := s.retryBusy(ctx, func() error { return s.checked(ctx) })
	if errors.Is(err, ErrLimit) { // which is of searches
		return nil
	}
	return err
}

// inspect asks what the index is. What that tells for certain is kept.
func (s *Store) inspect(ctx context.Context) error {
	v := verdict{asked: time.Now()}
	v.shards, v.err = s.describe(ctx, session.KindSession)
	if v.err == nil || isVerdict(v.err) {
		s.fits.known.Store(&v)
	}
	return v.err
}

func isVerdict(err error) bool {
	return errors.Is(err, ErrNoIndex) || errors.Is(err, ErrSchema) || errors.Is(err, ErrSeveral) || errors.Is(err, ErrClosed) || errors.Is(err, ErrLimit)
}

// described is what an index tells of itself: settings are text.
type described struct {
	Mappings struct {
		Meta struct {
			Scopegate schema `json:"scopegate"`
		} `json:"_meta"`
	} `json:"mappings"`
	Settings struct {
		Index struct {
			Shards string `json:"number_of_shards"`
			Window string `json:"max_result_window"`
			Terms  string `json:"max_terms_count"`
			Closed string `json:"verified_before_close"` // "true" while it is closed
		} `json:"index"`
	} `json:"settings"`
}

// describedPaths are the parts of the answer that described has.
const describedPaths = "*.mappings._meta.scopegate *.settings.index.number_of_shards *.settings.index.max_result_window" +
	" *.settings.index.max_terms_count *.settings.index.verified_before_close"

// describe is the number of shards of the index that a kind is read from, or why
// it cannot be.
func (s *Store) describe(ctx context.Context, of session.Kind) (shards int, err error) {
	var answer map[string]described
	err = s.client.call(ctx, esapi.IndicesGetRequest{
		Index: []string{s.names(of).read}, FilterPath: paths(describedPaths), Instrument: s.client.instrument,
	}, &answer)
	switch {
	case err != nil:
		return 0, err
	case len(answer) == 0:
		return 0, fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrNoIndex)
	case len(answer) > 1:
		return 0, fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrSeveral)
	}
	for _, index := range answer {
		shards, err = index.check(of, s.limits)
	}
	return shards, err
}

func (d described) check(of session.Kind, l limits) (shards int, err error) {
	settings := d.Settings.Index
	switch {
	case settings.Closed == "true":
		return 0, fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrClosed)
	case d.Mappings.Meta.Scopegate != thisSchema():
		return 0, fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrSchema)
	case of == session.KindSession && isLower(settings.Window, l.window): // all others are read in parts that fit
		return 0, limitError("index.max_result_window")
	case of == session.KindSession && isLower(settings.Terms, maxTerms):
		return 0, limitError("index.max_terms_count")
	}
	shards, err = strconv.Atoi(settings.Shards)
	if err != nil {
		return 0, errAnswer
	}
	return shards, nil
}

// isLower is false for a setting that is left to its default.
func isLower(setting string, than int) bool {
	n, err := strconv.Atoi(setting)
	return err == nil && n < than
}

// limitError is ErrLimit with the setting's name; "" is not known.
func limitError(setting string) error {
	if setting == "" {
		return fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrLimit)
	}
	return fmt.Errorf("elasticsearch: %w: %w: %w", search.ErrUnavailable, ErrLimit, reason.Text(setting))
}

// errMoved: the read alias leads elsewhere since it was asked, or to several.
var errMoved = fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, reason.Text("the read alias of the sessions is being moved"))

// fitsShards refuses the answer of a search that has gone to other shards than the
// index has: an alias of two indices brings every session twice.
func (s *Store) fitsShards(ctx context.Context, shards int) error {
	if known := s.fits.known.Load(); shards == 0 || known == nil || known.shards == 0 || known.shards == shards {
		return nil
	}
	if err := s.inspect(ctx); err != nil {
		return err
	}
	if s.fits.known.Load().shards != shards {
		return errMoved
	}
	return nil
}
