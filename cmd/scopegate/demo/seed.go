package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/scopegate/scopegate/session"

	"golang.org/x/sync/errgroup"
)

// ErrForeignFolder marks a store that holds something, but not what Seed has
// written.
var ErrForeignFolder = errors.New("the data folder is not a demo's")

// Store is what Seed fills: an engine's writer with room for a mark.
type Store interface {
	session.Writer
	// Meta reads a mark left by SetMeta; false when there is none.
	Meta(ctx context.Context, name string) (value string, ok bool, err error)
	SetMeta(ctx context.Context, name, value string) error
	// Empty reports whether there is no session and no company.
	Empty(ctx context.Context) (bool, error)
}

const (
	markName   = "demo.seeded"
	batchSize  = 5000 // the text index is merged at the end of each transaction: few are faster
	markFormat = 1    // raised when the generator would make other sessions
)

// mark is what Seed leaves in the store: what it writes and how far it got. A
// seeding that was cut short goes on from there under the same now, so that it
// ends as if it had never been interrupted.
type mark struct {
	Format   int       `json:"format"`
	Seed     uint64    `json:"seed"`
	Now      time.Time `json:"now"`
	Sessions int       `json:"sessions"` // how many there are to be
	Done     int       `json:"done"`     // how many are surely there
}

func (m mark) complete() bool { return m.Done == m.Sessions }

// SeedOptions say what Seed writes.
type SeedOptions struct {
	Sessions int
	Seed     uint64
	Now      time.Time
	// Batch is how many sessions go into one transaction; 0: as many as is
	// fastest.
	Batch int
	// Progress, unless nil, is told how many sessions of how many are stored.
	Progress func(done, of int)
}

// Seeded is what Seed did.
type Seeded struct {
	Sessions int           // that the folder was seeded with
	Written  int           // of them now; 0: all were there
	Resumed  bool          // an earlier seeding had been cut short
	Now      time.Time     // what the dates run up to
	Took     time.Duration // of writing
}

// Seed fills the store, unless that was done before: a folder is seeded once,
// and stays as it is then, whatever is asked for.
//
// Errors: ErrForeignFolder, those of the store, or the context's.
func Seed(ctx context.Context, store Store, o SeedOptions) (Seeded, error) {
	m, found, err := readMark(ctx, store)
	if err != nil {
		return Seeded{}, err
	}
	result := Seeded{Resumed: found && !m.complete()}
	if !found {
		m = mark{Format: markFormat, Seed: o.Seed, Now: o.Now.UTC().Truncate(time.Millisecond), Sessions: o.Sessions}
	}
	began, before := time.Now(), m.Done
	if !m.complete() || !found {
		if err := m.fill(ctx, store, o); err != nil {
			return Seeded{}, err
		}
		result.Took = time.Since(began)
	}
	result.Sessions, result.Written, result.Now = m.Sessions, m.Done-before, m.Now
	return result, nil
}

func readMark(ctx context.Context, store Store) (m mark, found bool, err error) {
	text, ok, err := store.Meta(ctx, markName)
	if err != nil {
		return m, false, err
	}
	if !ok {
		empty, err := store.Empty(ctx)
		if err == nil && !empty {
			err = ErrForeignFolder
		}
		return m, false, err
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, false, fmt.Errorf("%w: its mark cannot be read: %w", ErrForeignFolder, err)
	}
	if m.Format != markFormat && !m.complete() {
		return m, false, fmt.Errorf("%w: another version was cut short filling it", ErrForeignFolder)
	}
	return m, true, nil
}

func (m *mark) save(ctx context.Context, store Store) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return store.SetMeta(ctx, markName, string(text))
}

// fill writes what is missing. Making sessions and storing them cost about the
// same, so they run side by side.
func (m *mark) fill(ctx context.Context, store Store, o SeedOptions) error {
	g := NewGenerator(m.Seed, m.Now)
	if err := m.save(ctx, store); err != nil { // before the first record: see readMark
		return err
	}
	size := o.Batch
	if size <= 0 {
		size = batchSize
	}
	batches := make(chan []session.Change, 2)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(batches)
		return g.batches(ctx, m.Done, m.Sessions, size, batches)
	})
	group.Go(func() error {
		for batch := range batches {
			if _, err := store.Write(ctx, batch); err != nil {
				return err
			}
			if batch[0].Kind != session.KindSession {
				continue
			}
			m.Done += len(batch)
			if err := m.save(ctx, store); err != nil {
				return err
			}
			if o.Progress != nil {
				o.Progress(m.Done, m.Sessions)
			}
		}
		return ctx.Err()
	})
	return group.Wait()
}

// batches sends the directory and then the sessions numbered from … to-1, so
// many at a time.
func (g *Generator) batches(ctx context.Context, from, to, size int, out chan<- []session.Change) error {
	send := func(batch []session.Change) error {
		select {
		case out <- batch:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := send(g.Directory()); err != nil {
		return err
	}
	batch := make([]session.Change, 0, size)
	for change, err := range g.Sessions(from, to) {
		if err != nil {
			return err
		}
		if batch = append(batch, change); len(batch) < size {
			continue
		}
		if err := send(batch); err != nil {
			return err
		}
		batch = make([]session.Change, 0, size)
	}
	if len(batch) == 0 {
		return nil
	}
	return send(batch)
}
