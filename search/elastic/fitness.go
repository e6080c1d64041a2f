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
	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/session"
)

const (
	// fitsFor is how long the sessions' index is searched without checking it
	// again: the alias and the settings can change at any time.
	fitsFor = 2 * time.Second
	// inspectTimeout limits a repeated check: searches go on when it is slow.
	inspectTimeout = time.Second
)

// fitness holds what is known about the index that sessions are read from.
type fitness struct {
	known  atomic.Pointer[checkedFitness] // nil: not checked yet
	asking sync.Mutex                     // held during a check
}

// checkedFitness is the result of a check.
type checkedFitness struct {
	err        error  // nil: the index can be searched
	unwritable error  // nil: sessions can be written
	read       string // the alias that is searched; "": the one without a number
	second     string // the index that is written to after the first; "": none
	shards     int    // of the searched index; 0: unknown
	step       schema.Step
	asked      time.Time
}

// Ping returns the reason why searches cannot be answered: Elasticsearch does not
// answer, ErrNoIndex, ErrSchema, ErrSeveral, ErrClosed, ErrLimit, or the error of
// an empty search. Too many running searches are no such reason.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.inspect(ctx); err != nil {
		return err
	}
	var a answer
	err := s.client.call(ctx, esapi.SearchRequest{
		Index: []string{s.searched()}, Size: new(int), TrackTotalHits: false,
		AllowPartialSearchResults: new(false), FilterPath: paths("timed_out _shards"), Instrument: s.client.instrument,
	}, &a)
	switch {
	case errors.Is(err, errTurnedAway):
		// The next search may succeed, and other gateways use the same
		// Elasticsearch.
		return nil
	case err != nil:
		return err
	}
	return a.check(false)
}

// checked returns the reason why the sessions' index cannot be searched. One caller
// checks again every fitsFor. While the index cannot be searched, one caller at a
// time checks again at once.
func (s *Store) checked(ctx context.Context) error {
	known := s.fits.known.Load()
	if known != nil && known.err == nil && time.Since(known.asked) < fitsFor {
		return nil
	}
	if known == nil {
		return s.inspect(ctx)
	}
	// After a pause without searches, what is known may be about an index that does
	// not exist any more, so all callers wait for the check.
	if time.Since(known.asked) >= 2*fitsFor {
		s.fits.asking.Lock()
		known = s.fits.known.Load()
		if known.err == nil && time.Since(known.asked) < fitsFor {
			s.fits.asking.Unlock()
			return nil
		}
	} else if !s.fits.asking.TryLock() {
		return known.err
	}
	defer s.fits.asking.Unlock()
	if known.err != nil {
		return s.inspect(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	err := s.inspect(limited)
	if err == nil || isFinalRefusal(err) {
		return err
	}
	// The check gave no answer. Nothing speaks against the search, which will find
	// out itself.
	again := *known
	again.asked = time.Now()
	s.fits.known.Store(&again)
	return nil
}

// Ready returns the reason why nothing can be written, as checked does. While
// Elasticsearch is too busy to answer, it retries for about twenty seconds.
func (s *Store) Ready(ctx context.Context) error {
	err := s.retryBusy(ctx, func() error { return s.checked(ctx) })
	if errors.Is(err, ErrLimit) { // concerns searches only
		return nil
	}
	if errors.Is(err, ErrSchema) { // writers may go on with an older schema
		return s.fits.known.Load().unwritable
	}
	return err
}

// inspect checks the index and stores a certain result.
func (s *Store) inspect(ctx context.Context) error {
	v := checkedFitness{err: errAnswer}
	l, err := s.locate(ctx)
	if err == nil {
		v = s.checkedFitness(l)
	} else {
		v.err, v.unwritable = err, err
	}
	v.asked = time.Now()
	if v.err == nil || isFinalRefusal(v.err) {
		s.fits.known.Store(&v)
	}
	return v.err
}

func isFinalRefusal(err error) bool {
	return errors.Is(err, ErrNoIndex) || errors.Is(err, ErrSchema) || errors.Is(err, ErrSeveral) || errors.Is(err, ErrClosed) || errors.Is(err, ErrLimit)
}

// described is the description of an index. Settings are text.
type described struct {
	Aliases  map[string]struct{} `json:"aliases"`
	Mappings struct {
		Meta struct {
			Scopegate mark  `json:"scopegate"`
			Migration marks `json:"migration"`
		} `json:"_meta"`
	} `json:"mappings"`
	Settings struct {
		Index struct {
			UUID     string `json:"uuid"`
			Shards   string `json:"number_of_shards"`
			Replicas string `json:"number_of_replicas"`
			Refresh  string `json:"refresh_interval"`
			Window   string `json:"max_result_window"`
			Terms    string `json:"max_terms_count"`
			Closed   string `json:"verified_before_close"` // "true" while it is closed
		} `json:"index"`
	} `json:"settings"`
}

// describedPaths are the parts of the answer that described has.
const describedPaths = "*.aliases *.mappings._meta *.settings.index.uuid *.settings.index.number_of_shards *.settings.index.max_result_window" +
	" *.settings.index.number_of_replicas *.settings.index.refresh_interval" +
	" *.settings.index.max_terms_count *.settings.index.verified_before_close"

// describe returns the reason why the index of a kind cannot be read.
func (s *Store) describe(ctx context.Context, of session.Kind) error {
	if of == session.KindSession {
		l, err := s.locate(ctx)
		if err == nil {
			_, _, err = s.fit(l)
		}
		return err
	}
	_, index, err := s.readIndex(ctx, of)
	if err == nil {
		_, _, err = index.check(of, s.limits, s.steps)
	}
	return err
}

// readIndex asks for the one index that a kind is read from. The index may be closed,
// and of any schema.
func (s *Store) readIndex(ctx context.Context, of session.Kind) (name string, index described, err error) {
	if of == session.KindSession {
		l, err := s.locate(ctx)
		return l.read().name, l.read().described, err
	}
	var answer map[string]described
	err = s.client.call(ctx, esapi.IndicesGetRequest{
		Index: []string{s.names(of).read}, FilterPath: paths(describedPaths), Instrument: s.client.instrument,
	}, &answer)
	switch {
	case err != nil:
		return "", described{}, err
	case len(answer) == 0:
		return "", described{}, fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrNoIndex)
	case len(answer) > 1:
		return "", described{}, fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrSeveral)
	}
	for name, index := range answer {
		return name, index, nil
	}
	return "", described{}, errAnswer
}

func (d described) check(of session.Kind, l limits, steps schema.List) (shards int, step schema.Step, err error) {
	settings := d.Settings.Index
	if settings.Closed == "true" {
		return 0, schema.Step{}, fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrClosed)
	}
	// The mapping of companies and grants is the same since directorySchema, and they
	// stay in their indices when sessions are migrated.
	m := d.Mappings.Meta.Scopegate
	if of == session.KindSession || m.Version < directorySchema || m.Version > steps.Newest().Schema {
		if step, err = m.step(steps); err != nil {
			return 0, schema.Step{}, err
		}
	}
	switch {
	case of == session.KindSession && isLower(settings.Window, l.window): // other kinds are read in parts that fit
		return 0, schema.Step{}, limitError("index.max_result_window")
	case of == session.KindSession && isLower(settings.Terms, maxTerms):
		return 0, schema.Step{}, limitError("index.max_terms_count")
	}
	shards, err = strconv.Atoi(settings.Shards)
	if err != nil {
		return 0, schema.Step{}, errAnswer
	}
	return shards, step, nil
}

// isLower returns false for a setting that has its default.
func isLower(setting string, than int) bool {
	n, err := strconv.Atoi(setting)
	return err == nil && n < than
}

// limitError is ErrLimit with the setting's name, which may be "" when unknown.
func limitError(setting string) error {
	if setting == "" {
		return fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrLimit)
	}
	return fmt.Errorf("elasticsearch: %w: %w: %w", search.ErrUnavailable, ErrLimit, reason.Text(setting))
}

// errMoved: the read alias was changed since the last check, or leads to several
// indices.
var errMoved = fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, reason.Text("the read alias of the sessions is being moved"))

// fitsShards returns an error when the search used another number of shards than
// the index has: an alias of two indices would return every session twice.
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
