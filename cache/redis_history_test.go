package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/invalidation/redislog"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

const (
	// trialGrace is for how long at most an answer is served that lacks what was
	// published, whatever happens to Redis: until a gateway that hears nothing falls
	// silent, or a writer has read back what it published; and then for as long as
	// what was loaded meanwhile is fresh.
	trialGrace = invalidation.Silence + fakeWait + invalidation.LongestPause + testFresh + invalidation.Step
	// trialCalm is when the log is followed again after the last fault.
	trialCalm = invalidation.Silence + fakeWait + invalidation.LongestPause + testFresh + invalidation.Step
	// trialHeard is the promise while nothing happens to Redis.
	trialHeard = time.Second
)

// trial is gateways and writers over a bulletin and a fleet, and what is known
// of their past.
type trial struct {
	*bulletin

	t          *testing.T
	fleet      *fleet
	gateways   []*trialGateway
	writer     *redislog.Log
	publishing chan struct{} // closed when the last writer has ended
	scopes     []tenancy.Scope
	fault      time.Time // the last
	engineUp   time.Time // when the engine last came back
	hiding     func()    // ends what hideAll began
}

type trialGateway struct {
	*Cache

	connection *connection
}

func newTrial(t *testing.T, scopes []tenancy.Scope) *trial {
	t.Helper()
	h := &trial{
		t: t, fleet: newFleet(), scopes: scopes,
		bulletin: &bulletin{writes: map[tenancy.CompanyID][]write{}}, fault: time.Now(), hiding: func() {},
	}
	for company := range tenancy.CompanyID(historyCompanies) {
		h.writes[company+1] = []write{{at: time.Now(), published: time.Now()}}
	}
	h.writer = logOver(&connection{fleet: h.fleet, server: -1}, "log")
	h.publishing = make(chan struct{})
	close(h.publishing)
	for range 2 {
		h.gateways = append(h.gateways, h.start(-1))
	}
	time.Sleep(trialCalm)
	return h
}

// start makes a gateway on a server.
func (h *trial) start(server int) *trialGateway {
	c := &connection{fleet: h.fleet, server: server}
	return &trialGateway{newSharedCache(h.t, h.bulletin, c, Options{
		Log: logOver(c, "log"), Keys: [][]byte{sealingKey(1)},
	}), c}
}

func (h *trial) faulty() { h.fault = time.Now() }

// write changes a session of one or two companies, and tells of it by a writer
// that reads back what it published, unless that comes later.
func (h *trial) write(rt *rapid.T) {
	h.mu.Lock()
	for _, company := range []tenancy.CompanyID{drawHistoryCompany(rt, "company"), drawHistoryCompany(rt, "other")} {
		h.writes[company] = append(h.writes[company], write{at: time.Now()})
	}
	h.mu.Unlock()
	if rapid.IntRange(0, 3).Draw(rt, "published at once") > 0 {
		h.publish(rt)
	}
}

func (h *trial) publish(*rapid.T) {
	before, ended := h.publishing, make(chan struct{})
	h.publishing = ended
	h.mu.Lock()
	unpublished := map[tenancy.CompanyID]int{} // how many writes were made
	for company, writes := range h.writes {
		if writes[len(writes)-1].published.IsZero() {
			unpublished[company] = len(writes)
		}
	}
	h.mu.Unlock()
	go func() {
		defer close(ended)
		<-before // one writer, as an import is
		var companies []tenancy.CompanyID
		for company := range unpublished {
			companies = append(companies, company)
		}
		if h.writer.Append(context.Background(), companies) != nil {
			return
		}
		published := time.Now()
		if h.writer.Confirm(context.Background()) != nil {
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for company, n := range unpublished {
			for i := range h.writes[company][:n] {
				if h.writes[company][i].published.IsZero() {
					h.writes[company][i].published = published
				}
			}
		}
	}()
	synctest.Wait()
}

func (h *trial) save(*rapid.T) {
	h.fleet.change(func() {
		saved := h.fleet.master().clone()
		h.fleet.master().saved = &saved
	})
}

// restart ends the master and starts it again: with all its data, with what was
// saved last, or with none.
func (h *trial) restart(rt *rapid.T) {
	rarely(rt)
	stored := rapid.SampledFrom([]string{"all", "what was saved", "what was saved", "nothing"}).Draw(rt, "kept")
	down := time.Duration(rapid.SampledFrom([]int{0, 1, 100, 3000, 10_000}).Draw(rt, "down for ms")) * time.Millisecond
	var s *fakeServer
	h.fleet.change(func() { s = h.fleet.master(); s.down = true })
	time.Sleep(down)
	h.fleet.change(func() {
		s.down, s.run = false, h.fleet.newRun()
		switch {
		case stored == "what was saved" && s.saved != nil:
			s.fakeData = s.saved.clone()
		case stored != "all":
			s.fakeData = fakeData{values: map[string][]byte{}}
		}
	})
	h.faulty()
}

// cut parts the replica from its master, or joins them again.
func (h *trial) cut(rt *rapid.T) {
	rarely(rt)
	h.fleet.change(func() { h.fleet.linked = !h.fleet.linked })
	h.faulty()
}

// failOver makes the replica the master, with what it has.
func (h *trial) failOver(rt *rapid.T) {
	rarely(rt)
	h.fleet.change(func() {
		old, promoted := h.fleet.master(), h.fleet.other()
		promoted.replica, promoted.run = false, h.fleet.newRun()
		old.replica = true
		h.fleet.linked = rapid.Bool().Draw(rt, "linked")
	})
	h.faulty()
}

// refuseWrites has the master refuse them, or take them again.
func (h *trial) refuseWrites(rt *rapid.T) {
	rarely(rt)
	h.fleet.change(func() { s := h.fleet.master(); s.lonely = !s.lonely })
	h.faulty()
}

// reconnect puts a gateway on a server, or has it follow the master.
func (h *trial) reconnect(rt *rapid.T) {
	rarely(rt)
	g := rapid.SampledFrom(h.gateways).Draw(rt, "gateway")
	h.fleet.change(func() { g.connection.server = rapid.IntRange(-1, 1).Draw(rt, "server") })
	h.faulty()
}

// replace ends a gateway and starts another.
func (h *trial) replace(rt *rapid.T) {
	rarely(rt)
	i := rapid.IntRange(0, 1).Draw(rt, "gateway")
	h.gateways[i].shared.drain()
	h.gateways[i] = h.start(h.gateways[i].connection.server)
	h.faulty()
}

// tamper does what somebody can who writes to Redis and has no key.
func (h *trial) tamper(rt *rapid.T) {
	rarely(rt)
	h.hiding()
	h.fleet.change(func() {
		s := h.fleet.master()
		last := len(s.entries) - 1
		switch rapid.SampledFrom([]string{
			"hide the last", "delete one", "trim", "delete the log", "delete the head", "lose the sequence", "set the sequence",
			"set the epoch", "forge", "a long entry", "swap",
		}).Draw(rt, "what") {
		case "hide the last":
			s.hide()
		case "delete one":
			if last >= 0 {
				i := rapid.IntRange(0, last).Draw(rt, "which")
				s.entries = slices.Delete(slices.Clone(s.entries), i, i+1)
			}
		case "trim":
			s.entries = nil
		case "delete the log":
			s.epoch, s.sequence, s.entries = "", "", nil
		case "delete the head":
			s.epoch, s.sequence = "", ""
		case "lose the sequence":
			s.sequence = ""
		case "set the sequence":
			s.sequence = rapid.SampledFrom([]string{"0", "1", "7", "x", "99999999999999999999"}).Draw(rt, "sequence")
		case "set the epoch":
			s.epoch = rapid.SampledFrom([]string{"x", "x." + s.run}).Draw(rt, "epoch")
		case "forge":
			s.forge(h.fleet, []byte("a"))
		case "a long entry":
			s.forge(h.fleet, make([]byte, redislog.MaxEntryBytes+1))
		case "swap":
			if last > 0 {
				s.entries = slices.Clone(s.entries)
				s.entries[last].Body, s.entries[last-1].Body = s.entries[last-1].Body, s.entries[last].Body
			}
		}
	})
	h.faulty()
}

// hide takes the last entry away, and sets the head back to the one before.
func (s *fakeServer) hide() {
	last := len(s.entries) - 1
	if last < 0 || !s.position().Known() {
		return
	}
	s.sequence = strconv.FormatUint(s.entries[last].Sequence-1, 10)
	s.entries = slices.Clone(s.entries[:last])
}

func (s *fakeServer) forge(f *fleet, body []byte) {
	next := s.position().Sequence + 1
	s.entries = append(slices.Clone(s.entries), redislog.Entry{ID: f.nextID(), Sequence: next, Body: body, MAC: []byte("forged")})
	s.sequence = strconv.FormatUint(next, 10)
}

// hideAll hides whatever is appended for a while, as soon as it is there or a
// little later.
func (h *trial) hideAll(rt *rapid.T) {
	rarely(rt)
	h.hiding()
	after := time.Duration(rapid.SampledFrom([]int{0, 1, 60, 700, 1900, 2500}).Draw(rt, "after ms")) * time.Millisecond
	long := time.Duration(rapid.IntRange(1, 10).Draw(rt, "seconds")) * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), long)
	hidden := make(chan struct{})
	h.hiding = func() { cancel(); <-hidden }
	first := 0
	h.fleet.change(func() { first = h.fleet.ids })
	go func() {
		defer close(hidden)
		for ctx.Err() == nil {
			h.fleet.mu.Lock()
			entries, changed := h.fleet.master().entries, h.fleet.changed
			h.fleet.mu.Unlock()
			if len(entries) > 0 && entries[len(entries)-1].ID > fmt.Sprintf("%012d-0", first) {
				time.Sleep(after)
				h.fleet.change(func() { h.fleet.master().hide() })
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}()
	synctest.Wait()
	h.fault = time.Now().Add(long + after)
}

// isolate puts a gateway on a replica that is cut off, as an address that goes on
// to lead there would.
func (h *trial) isolate(rt *rapid.T) {
	rarely(rt)
	g := rapid.SampledFrom(h.gateways).Draw(rt, "gateway")
	h.fleet.change(func() {
		h.fleet.linked = false
		g.connection.server = slices.Index(h.fleet.servers[:], h.fleet.other())
	})
	h.faulty()
}

// restore saves, changes something, ends a gateway and starts both from what was
// saved, as a host does that is started again.
func (h *trial) restore(rt *rapid.T) {
	rarely(rt)
	h.save(rt)
	h.write(rt)
	time.Sleep(time.Duration(rapid.SampledFrom([]int{10, 3000, 10_000}).Draw(rt, "ms")) * time.Millisecond)
	h.fleet.change(func() {
		s := h.fleet.master()
		s.run, s.fakeData = h.fleet.newRun(), s.saved.clone()
	})
	i := rapid.IntRange(0, 1).Draw(rt, "gateway")
	h.gateways[i].shared.drain()
	h.gateways[i] = h.start(-1)
	h.faulty()
}

// pass lets time pass, and then asks everything.
func (h *trial) pass(rt *rapid.T) {
	span := rapid.SampledFrom([][2]int{{1, 20}, {1, 3000}, {9000, 12_000}, {9000, 12_000}, {9000, 30_000}, {1, 700_000}}).Draw(rt, "span")
	time.Sleep(time.Duration(rapid.IntRange(span[0], span[1]).Draw(rt, "ms")) * time.Millisecond)
	h.ask(rt)
}

// ask asks each gateway for what each account sees, of today and of long ago.
func (h *trial) ask(rt *rapid.T) {
	for _, g := range h.gateways {
		for _, bits := range []int{1, 6, len(h.scopes) - 1} {
			h.askOne(rt, g, h.scopes[bits], false)
			h.askOne(rt, g, h.scopes[bits], true)
		}
	}
}

// askOne holds an answer to what it may be.
func (h *trial) askOne(rt *rapid.T, g *trialGateway, scope tenancy.Scope, quiet bool) {
	q, bound := query(), testStale
	if quiet {
		q.Filter.To = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
		bound = testStaleIfError
	}
	grace := trialGrace
	if time.Since(h.fault) > trialCalm && h.whole(g) {
		grace = trialHeard
	}
	began := time.Now()
	r, err := g.Search(h.t.Context(), scope, q)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		if !errors.Is(err, search.ErrUnavailable) || !h.down && h.engineUp.Before(began) {
			rt.Fatalf("the engine answers, and a search does not: %v", err)
		}
		return
	}
	if r.Page.Provenance.Outage {
		bound = testStaleIfError
	}
	for _, row := range r.Page.Rows {
		var version int
		if err := json.Unmarshal(row.JSON, &version); err != nil {
			rt.Fatal(err)
		}
		if !scope.Contains(row.CompanyID) {
			rt.Fatalf("company %d is outside the scope", row.CompanyID)
		}
		for _, missed := range h.writes[row.CompanyID][version:] {
			if age := began.Sub(missed.at); age >= bound {
				rt.Fatalf("an answer %+v lacks what was written %s before it was asked for", r.Page.Provenance, age)
			}
			if published := began.Sub(missed.published); !missed.published.IsZero() && published >= grace {
				rt.Fatalf("an answer %+v lacks what was published %s before it was asked for, at most %s", r.Page.Provenance, published, grace)
			}
		}
	}
}

// whole reports whether the gateway is on a master that takes writes.
func (h *trial) whole(g *trialGateway) bool {
	h.fleet.mu.Lock()
	defer h.fleet.mu.Unlock()
	s := g.connection.to()
	return !s.down && !s.replica && !s.lonely
}

func (h *trial) switchEngine(rt *rapid.T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.down {
		rarely(rt)
	}
	h.down = !h.down
	h.engineUp = time.Now()
}

func (h *trial) end() {
	h.hiding()
	<-h.publishing
	for _, g := range h.gateways {
		g.shared.drain()
	}
}

// Redis is restarted, restored, failed over, cut off and tampered with, gateways
// come and go: none serves what an event has made stale for longer than it takes
// to notice, and none what is older than its bound.
func TestNoInvalidatedAnswerIsServedWhateverRedisDoes(t *testing.T) {
	scopes := allScopes(t)
	for part := range 10 { // of 100 histories each
		t.Run(strconv.Itoa(part), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				inBubble(t, func(t *testing.T) {
					t.Helper()
					h := newTrial(t, scopes)
					defer h.end()
					rt.Repeat(map[string]func(*rapid.T){
						"write": h.write, "write again": h.write, "publish": h.publish, "save": h.save, "restart": h.restart, "cut": h.cut,
						"fail over": h.failOver, "refuse writes": h.refuseWrites, "reconnect": h.reconnect, "replace": h.replace,
						"tamper": h.tamper, "hide": h.hideAll, "isolate": h.isolate, "restore": h.restore, "switch the engine": h.switchEngine,
						"pass": h.pass, "pass again": h.pass, "pass more": h.pass, "ask": h.ask,
					})
				})
			})
		})
	}
}
