package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/invalidation/redislog"
)

// fleet is a master and a replica in memory, as far as a log and values matter.
// Its servers do what the scripts do.
type fleet struct {
	mu      sync.Mutex
	servers [2]*fakeServer
	linked  bool // the replica has what the master has
	runs    int
	ids     int
	changed chan struct{}
}

// fakeServer is one of them.
type fakeServer struct {
	fakeData

	run     string // its term as a master
	replica bool
	down    bool
	lonely  bool // it refuses writes, since it lacks its replicas or room
	saved   *fakeData
}

// fakeData is what a server holds.
type fakeData struct {
	epoch, sequence string // "": there is none
	entries         []redislog.Entry
	values          map[string][]byte
}

func (d fakeData) clone() fakeData {
	d.entries, d.values = slices.Clone(d.entries), maps.Clone(d.values)
	return d
}

var (
	errFakeDown     = errors.New("connection refused")
	errFakeReadOnly = errors.New("READONLY you can't write against a read only replica")
)

func newFleet() *fleet {
	f := &fleet{changed: make(chan struct{}), linked: true}
	for i := range f.servers {
		f.servers[i] = &fakeServer{fakeData: fakeData{values: map[string][]byte{}}, run: f.newRun(), replica: i == 1}
	}
	return f
}

func (f *fleet) newRun() string {
	f.runs++
	return fmt.Sprintf("%016x", f.runs)
}

// change does something to the servers, replicates it and wakes who waits.
func (f *fleet) change(by func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	by()
	f.replicate()
}

func (f *fleet) replicate() {
	master, replica := f.master(), f.other()
	if f.linked && !master.down && !replica.down && replica.replica {
		replica.fakeData = master.clone()
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fleet) master() *fakeServer {
	if f.servers[0].replica {
		return f.servers[1]
	}
	return f.servers[0]
}

func (f *fleet) other() *fakeServer {
	if f.servers[0].replica {
		return f.servers[0]
	}
	return f.servers[1]
}

// position is the server's head if it is of its run.
func (s *fakeServer) position() invalidation.Position {
	at, err := fakeHead(s.epoch, s.sequence)
	if err != nil || len(s.epoch) > 64 || len(s.sequence) > 19 || !strings.HasSuffix(s.epoch, "."+s.run) {
		return invalidation.Position{}
	}
	return at
}

// connection is what a gateway or a writer has to one of the servers, which may
// change.
type connection struct {
	fleet *fleet
	// server is the index of that which it is on; -1: the master, whichever that is.
	server int
}

var (
	_ redislog.Store = (*connection)(nil)
	_ store          = (*connection)(nil)
)

func (c *connection) to() *fakeServer {
	if c.server < 0 {
		return c.fleet.master()
	}
	return c.fleet.servers[c.server]
}

// do runs a call on the server. One that writes is refused by a replica, and by
// one that is lonely.
func (c *connection) do(writes bool, call func(s *fakeServer)) error {
	c.fleet.mu.Lock()
	defer c.fleet.mu.Unlock()
	s := c.to()
	switch {
	case s.down:
		return errFakeDown
	case writes && (s.replica || s.lonely):
		return errFakeReadOnly
	}
	call(s)
	if writes {
		c.fleet.replicate()
	}
	return nil
}

// Page implements redislog.Store.
func (c *connection) Page(_ context.Context, q redislog.Range) (page redislog.Page, err error) {
	c.fleet.mu.Lock() // the beat changes nothing that is looked at: nobody is woken
	defer c.fleet.mu.Unlock()
	s := c.to()
	switch {
	case s.down:
		return redislog.Page{}, errFakeDown
	case s.replica || s.lonely:
		return redislog.Page{}, errFakeReadOnly
	}
	page.Head = s.position()
	if !page.Head.Known() {
		return redislog.Page{}, nil
	}
	entries := slices.Clone(s.entries)
	if q.Backward {
		slices.Reverse(entries)
	}
	for _, entry := range entries {
		in := entry.ID >= q.From
		if q.Backward {
			in = q.From == redislog.End || entry.ID <= q.From
		}
		switch {
		case !in || q.Behind && entry.ID == q.From:
			continue
		case len(page.Entries) == 4: // a small page, so that some have several
			page.More = true
			return page, nil
		case len(entry.Body) > redislog.MaxEntryBytes:
			page.Damaged = true
			return page, nil
		}
		page.Entries = append(page.Entries, entry)
	}
	return page, nil
}

// Wait implements redislog.Store.
func (c *connection) Wait(ctx context.Context, cursor string) (string, error) {
	timer := time.NewTimer(fakeWait)
	defer timer.Stop()
	for {
		var found string
		var changed <-chan struct{}
		err := c.do(false, func(s *fakeServer) {
			changed = c.fleet.changed
			for _, entry := range s.entries {
				if entry.ID > cursor {
					found = entry.ID
					return
				}
			}
		})
		if err != nil || found != "" {
			return found, err
		}
		select {
		case <-changed:
		case <-timer.C:
			return "", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// Claim implements redislog.Store.
func (c *connection) Claim(_ context.Context, epoch, refused string) (at invalidation.Position, err error) {
	c.fleet.mu.Lock()
	s := c.to()
	sound := s.position().Known() && s.epoch != refused
	at, down := s.position(), s.down
	c.fleet.mu.Unlock()
	if down {
		return invalidation.Position{}, errFakeDown
	}
	if sound {
		return at, nil
	}
	err = c.do(true, func(s *fakeServer) {
		if !s.position().Known() || s.epoch == refused {
			s.epoch, s.sequence, s.entries = epoch+"."+s.run, "0", nil
		}
		at = s.position()
	})
	return at, err
}

// Add implements redislog.Store.
func (c *connection) Add(_ context.Context, behind invalidation.Position, entry redislog.Entry) (id string, err error) {
	err = c.do(true, func(s *fakeServer) {
		if s.position() != behind {
			return
		}
		id = c.fleet.nextID()
		entry.ID = id
		s.entries = append(s.entries, entry)
		s.sequence = strconv.FormatUint(entry.Sequence, 10)
	})
	return id, err
}

func (f *fleet) nextID() string {
	f.ids++
	return fmt.Sprintf("%012d-0", f.ids)
}

func (c *connection) Get(_ context.Context, names []string) ([][]byte, error) {
	values := make([][]byte, len(names))
	err := c.do(false, func(s *fakeServer) {
		for i, name := range names {
			values[i] = s.values[name]
		}
	})
	return values, err
}

func (c *connection) Set(_ context.Context, name string, value []byte, _ time.Duration) error {
	err := c.do(true, func(s *fakeServer) { s.values[name] = value })
	if errors.Is(err, errFakeReadOnly) {
		return errors.Join(redisstore.ErrRefused, err)
	}
	return err
}

// fakeHead reads an epoch and a sequence.
func fakeHead(epoch, sequence string) (invalidation.Position, error) {
	n, err := strconv.ParseUint(sequence, 10, 64)
	if epoch == "" {
		err = errFakeDown
	}
	return invalidation.Position{Epoch: epoch, Sequence: n}, err
}
