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
	entries         []logEntry
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
func (s *fakeServer) position() Position {
	at, err := readHead([]string{s.epoch, s.sequence})
	if err != nil || len(s.epoch) > 64 || len(s.sequence) > 19 || !strings.HasSuffix(s.epoch, "."+s.run) {
		return Position{}
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
	_ logStore = (*connection)(nil)
	_ store    = (*connection)(nil)
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

func (c *connection) page(_ context.Context, q logRange) (page logPage, err error) {
	c.fleet.mu.Lock() // the beat changes nothing that is looked at: nobody is woken
	defer c.fleet.mu.Unlock()
	s := c.to()
	switch {
	case s.down:
		return logPage{}, errFakeDown
	case s.replica || s.lonely:
		return logPage{}, errFakeReadOnly
	}
	page.head = s.position()
	if !page.head.known() {
		return logPage{}, nil
	}
	entries := slices.Clone(s.entries)
	if q.backward {
		slices.Reverse(entries)
	}
	for _, entry := range entries {
		in := entry.id >= q.from
		if q.backward {
			in = q.from == logEnd || entry.id <= q.from
		}
		switch {
		case !in || q.behind && entry.id == q.from:
			continue
		case len(page.entries) == 4: // a small page, so that some have several
			page.more = true
			return page, nil
		case len(entry.body) > logEntryBytes:
			page.damaged = true
			return page, nil
		}
		page.entries = append(page.entries, entry)
	}
	return page, nil
}

func (c *connection) wait(ctx context.Context, cursor string) (string, error) {
	timer := time.NewTimer(logWait)
	defer timer.Stop()
	for {
		var found string
		var changed <-chan struct{}
		err := c.do(false, func(s *fakeServer) {
			changed = c.fleet.changed
			for _, entry := range s.entries {
				if entry.id > cursor {
					found = entry.id
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

func (c *connection) claim(_ context.Context, epoch, refused string) (at Position, err error) {
	c.fleet.mu.Lock()
	s := c.to()
	sound := s.position().known() && s.epoch != refused
	at, down := s.position(), s.down
	c.fleet.mu.Unlock()
	if down {
		return Position{}, errFakeDown
	}
	if sound {
		return at, nil
	}
	err = c.do(true, func(s *fakeServer) {
		if !s.position().known() || s.epoch == refused {
			s.epoch, s.sequence, s.entries = epoch+"."+s.run, "0", nil
		}
		at = s.position()
	})
	return at, err
}

func (c *connection) add(_ context.Context, behind Position, entry logEntry) (id string, err error) {
	err = c.do(true, func(s *fakeServer) {
		if s.position() != behind {
			return
		}
		id = c.fleet.nextID()
		entry.id = id
		s.entries = append(s.entries, entry)
		s.sequence = strconv.FormatUint(entry.sequence, 10)
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
