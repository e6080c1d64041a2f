package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // registers the driver

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/paging"
	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

var (
	_ search.Searcher    = (*Store)(nil)
	_ search.Snapshotter = (*Store)(nil)
	_ search.Summarizer  = (*Store)(nil)
	_ session.Writer     = (*Store)(nil)
	_ tenancy.Source     = (*Store)(nil)
)

// FileName is the database's name inside Options.Dir.
const FileName = "scopegate.db"

const defaultBusyTimeout = 10 * time.Second

// Options says where the database is and how much of the machine it may use.
type Options struct {
	// Dir is the data folder. A missing folder is created, for its owner only.
	Dir string
	// Path is the database file, when it is not scopegate.db in Dir.
	Path string
	// Readers is the number of searches that run at once; 0 stands for the number
	// of processors plus two, at least 4.
	Readers int
	// BusyTimeout is how long a writer waits while another process writes; 0 stands
	// for 10 s.
	BusyTimeout time.Duration
	// MaxWAL is a size of the write-ahead log, in bytes. Above it no snapshot
	// begins until the running ones have ended. Above four times that size the
	// running ones are ended, with search.ErrSnapshotEnded. 0 stands for
	// DefaultMaxWAL.
	MaxWAL int64
	// MaxPageBytes is the largest size of the rows of one page, in bytes; above it
	// a search fails with search.ErrPageTooLarge. 0 stands for
	// search.DefaultMaxPageBytes.
	MaxPageBytes int64

	held  bool        // the caller holds the lock of the file
	steps schema.List // nil: schema.Steps()
}

// Store is the embedded engine. It is safe for use by several goroutines.
type Store struct {
	db            *sql.DB
	readers       *readers
	health        *readers // for Ping alone, so that long searches do not delay it
	writer        *writer
	watch         *watch
	invalidations *invalidationWatch
	limits        limits
	anchors       *paging.Anchors
	maxPage       int64 // bytes
	log           *logGuard
	hold          *hold
	close         func() error
}

// Open opens the database and creates it when it is missing.
//
// Errors: ErrOutdated when it must be migrated first; ErrSchema when the file was
// written by a newer version or another program; ErrInUse while it is being
// migrated or restored; search.ErrUnavailable when it can't be read or written.
func Open(ctx context.Context, o Options) (*Store, error) {
	o.BusyTimeout = cmp.Or(o.BusyTimeout, defaultBusyTimeout)
	path, err := o.prepare()
	if err != nil {
		return nil, err
	}
	var shared *hold
	if !o.held {
		if shared, err = share(path); err != nil {
			return nil, fmt.Errorf("open %s: %w", path, err)
		}
	}
	db, err := sql.Open("sqlite", dsn(path, o.BusyTimeout))
	if err != nil {
		return nil, errors.Join(engineError(ctx, err), shared.release())
	}
	// Store manages its connections itself. A dropped connection is closed, never
	// returned to the pool for another user.
	db.SetMaxIdleConns(-1)
	s := &Store{db: db, limits: defaultLimits(), anchors: paging.NewAnchors(anchorBytes),
		maxPage: cmp.Or(o.MaxPageBytes, search.DefaultMaxPageBytes), log: newLogGuard(path+"-wal", cmp.Or(o.MaxWAL, DefaultMaxWAL)), hold: shared}
	s.close = sync.OnceValue(s.shut)
	if err := s.open(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.Close())
	}
	return s, nil
}

// MaxSearches is the number of searches that run at once; others wait for them.
func (s *Store) MaxSearches() int { return s.readers.count }

func (s *Store) open(ctx context.Context, o Options) (err error) {
	count := o.Readers
	if count == 0 {
		count = max(4, runtime.GOMAXPROCS(0)+forOthers)
	}
	s.readers, s.health = newReaders(s.db, count), newReaders(s.db, 1)
	steps := o.steps
	if steps == nil {
		steps = schema.Steps()
	}
	if s.writer, err = openWriter(ctx, s.db, s.log, o.BusyTimeout, steps); err != nil {
		return err
	}
	if s.watch, err = openWatch(ctx, s.db); err != nil {
		return err
	}
	s.invalidations, err = openInvalidationWatch(ctx, s.db)
	return err
}

// Close waits for running searches and writes and closes the file. Every later call
// fails with search.ErrUnavailable.
func (s *Store) Close() error { return s.close() }

func (s *Store) shut() error {
	var faults []error
	if s.readers != nil {
		s.readers.close()
		s.health.close()
	}
	if s.watch != nil {
		faults = append(faults, s.watch.close())
	}
	if s.invalidations != nil {
		faults = append(faults, s.invalidations.close())
	}
	if s.writer != nil {
		faults = append(faults, s.writer.close())
	}
	return errors.Join(append(faults, s.db.Close(), s.hold.release())...)
}

// Ping reports whether the database can be read as searches read it: in a
// transaction, but on a connection of its own. Errors: search.ErrUnavailable.
func (s *Store) Ping(ctx context.Context) error {
	return s.health.use(ctx, func(r *reader) error {
		return r.snapshot(ctx, func() error {
			_, err := r.number(ctx, "SELECT count(*) FROM revisions")
			return err
		})
	})
}

// prepare creates the folder and the file; SQLite would make the file readable by
// everyone. SQLite's side files get the file's permissions.
func (o Options) prepare() (string, error) {
	path := o.Path
	if path == "" {
		if o.Dir == "" {
			return "", errors.New("sqlite: neither a data folder nor a file was given")
		}
		path = filepath.Join(o.Dir, FileName)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("sqlite: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("sqlite: data folder: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // #nosec G304 -- the operator names it
	if err != nil {
		return "", fmt.Errorf("sqlite: data file: %w", err)
	}
	return path, file.Close()
}

// dsn returns the data source name of every connection. Sorting and the scope's
// table stay in memory: temporary files would hold names and phone numbers.
func dsn(path string, busy time.Duration) string {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed
	}
	u := url.URL{Scheme: "file", Path: slashed}
	query := url.Values{
		"_dqs": {"0"},
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", busy.Milliseconds()),
			"synchronous(NORMAL)",
			"temp_store(MEMORY)",
			"cache_size(-8000)",
		},
	}
	return u.String() + "?" + query.Encode()
}
