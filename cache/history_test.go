package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// historyCompanies are those of a history; the first three have an account each,
// which sees its company and all below it.
const (
	historyCompanies = 5
	historyAccounts  = 3
	historyBase      = 1000 // a count is the companies' versions as digits of this base
)

// bulletin is an engine in which each company has one session, of a version that
// grows with each write. A search sees the versions of its beginning.
type bulletin struct {
	mu     sync.Mutex
	writes map[tenancy.CompanyID][]write // the first is there from the beginning
	down   bool
	slow   time.Duration // between what a search sees and its end
}

// write is one change of a company's session.
type write struct {
	at, published time.Time // published is zero until it is published
}

func (b *bulletin) Search(ctx context.Context, scope tenancy.Scope, q search.Query) (search.Result, error) {
	b.mu.Lock()
	var r search.Result
	r.Page.More = true // or the page would tell the count
	unit := int64(1)
	for company := tenancy.CompanyID(1); company <= historyCompanies; company, unit = company+1, unit*historyBase {
		if !scope.Contains(company) {
			continue
		}
		version := len(b.writes[company])
		r.Count.Total += int64(version) * unit
		r.Page.Rows = append(r.Page.Rows, search.Row{CompanyID: company, JSON: fmt.Appendf(nil, `%d`, version)})
	}
	down, slow := b.down, b.slow
	b.mu.Unlock()
	if down {
		return search.Result{}, search.ErrUnavailable
	}
	time.Sleep(slow)
	if q.WithoutCount {
		r.Count = search.Count{}
	}
	if q.WithoutItems {
		r.Page = search.Page{}
	}
	return r, ctx.Err()
}

// chronicle is two gateways over a bulletin, a log and a store, and what is known
// of their past.
type chronicle struct {
	*bulletin

	t        *testing.T
	gateways []*Cache
	store    *double
	log      *fakeLog
	epoch    int
	scopes   []tenancy.Scope // by the bits of its companies
	parent   [historyCompanies + 1]tenancy.CompanyID
	logDown  bool
	logSince time.Time // when it last went down or up
	engineUp time.Time // when the engine last came back
	slowly   []inquiry // those under way
}

// inquiry is one search and what it was held to when it began.
type inquiry struct {
	gateway int
	scope   tenancy.Scope
	quiet   bool
	began   time.Time
	logSafe bool // the log had been up for long, and events were read
	logDead bool // it had been down for longer than it is believed
	answer  <-chan answerOf
}

// allScopes are made before a test enters a bubble: it takes a server.
func allScopes(t *testing.T) []tenancy.Scope {
	t.Helper()
	scopes := make([]tenancy.Scope, 1<<historyCompanies)
	for bits := 1; bits < len(scopes); bits++ {
		var companies []tenancy.CompanyID
		for i := range historyCompanies {
			if bits&(1<<i) != 0 {
				companies = append(companies, tenancy.CompanyID(i+1))
			}
		}
		scopes[bits] = tenancytest.Scope(t, companies...)
	}
	return scopes
}

func newChronicle(t *testing.T, scopes []tenancy.Scope) *chronicle {
	t.Helper()
	h := &chronicle{
		scopes:   scopes,
		bulletin: &bulletin{writes: map[tenancy.CompanyID][]write{}}, t: t, store: newDouble(), log: newFakeLog(), logSince: time.Now(),
	}
	for company := range tenancy.CompanyID(historyCompanies) {
		h.writes[company+1] = []write{{at: time.Now(), published: time.Now()}}
	}
	for range 2 {
		h.gateways = append(h.gateways, newSharedCache(t, h.bulletin, h.store, Options{Log: h.log, Keys: [][]byte{sealingKey(1)}}))
	}
	time.Sleep(2 * historyCalm)
	return h
}

// scope is what an account sees: its company and all below it.
func (h *chronicle) scope(account tenancy.CompanyID) tenancy.Scope {
	bits := 0
	for i := range historyCompanies {
		for at := tenancy.CompanyID(i + 1); at != 0; at = h.parent[at] {
			if at == account {
				bits |= 1 << i
			}
		}
	}
	return h.scopes[bits]
}

func drawHistoryCompany(rt *rapid.T, name string) tenancy.CompanyID {
	return tenancy.CompanyID(rapid.IntRange(1, historyCompanies).Draw(rt, name))
}

// write changes sessions of one or two companies, as a move from one to the
// other does, and tells of it unless that comes later.
func (h *chronicle) write(rt *rapid.T) {
	h.mu.Lock()
	for _, company := range []tenancy.CompanyID{drawHistoryCompany(rt, "company"), drawHistoryCompany(rt, "other")} {
		h.writes[company] = append(h.writes[company], write{at: time.Now()})
	}
	h.mu.Unlock()
	if rapid.Bool().Draw(rt, "published at once") {
		h.publish(rt)
	}
}

// tell tells of all that was written; a log that is down takes nothing.
func (h *chronicle) publish(*rapid.T) {
	if h.logDown {
		return
	}
	var companies []tenancy.CompanyID
	h.mu.Lock()
	for company, writes := range h.writes {
		for i := range writes {
			if writes[i].published.IsZero() {
				writes[i].published = time.Now()
				companies = append(companies, company)
			}
		}
	}
	h.mu.Unlock()
	if len(companies) > 0 {
		h.log.publish(slices.Compact(slices.Sorted(slices.Values(companies)))...)
	}
}

func (h *chronicle) invalidateAll(rt *rapid.T) {
	h.publish(rt)
	if !h.logDown {
		h.log.publish()
	}
}

// move puts a company below another, or makes it a root.
func (h *chronicle) move(rt *rapid.T) {
	company, parent := drawHistoryCompany(rt, "company"), tenancy.CompanyID(rapid.IntRange(0, historyCompanies).Draw(rt, "parent"))
	for at := parent; at != 0; at = h.parent[at] {
		if at == company {
			rt.Skip("below itself")
		}
	}
	h.parent[company] = parent
}

// restart takes Redis away, with all that it holds, for a while or for none.
func (h *chronicle) restart(rt *rapid.T) {
	rarely(rt)
	h.setLog(false)
	down := errors.New("connection refused")
	h.store.hold(func(context.Context, string) error { return down })
	time.Sleep(time.Duration(rapid.IntRange(0, 5000).Draw(rt, "ms")) * time.Millisecond)
	h.epoch++
	h.log.change(func() { h.log.epoch, h.log.events = fmt.Sprintf("epoch %d", h.epoch), nil })
	h.store.mu.Lock()
	clear(h.store.values)
	h.store.mu.Unlock()
	h.store.hold(nil)
	h.setLog(true)
}

func (h *chronicle) setLog(up bool) {
	if h.logDown != up {
		return
	}
	fault := errors.New("connection refused")
	if up {
		fault = nil
	}
	h.log.fail(fault)
	h.logDown, h.logSince = !up, time.Now()
}

// rarely skips a step more often than not: outages are the exception.
func rarely(rt *rapid.T) {
	if rapid.IntRange(0, 3).Draw(rt, "rarely") != 0 {
		rt.Skip("not now")
	}
}

func (h *chronicle) switchLog(rt *rapid.T) {
	if !h.logDown {
		rarely(rt)
	}
	h.setLog(h.logDown)
}

func (h *chronicle) switchEngine(rt *rapid.T) {
	if !h.down {
		rarely(rt)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = !h.down
	h.engineUp = time.Now()
}

func (h *chronicle) pass(rt *rapid.T) {
	most := rapid.SampledFrom([]int{20, 1000, 1000, 2000, 10_000, 120_000, 700_000}).Draw(rt, "at most")
	time.Sleep(time.Duration(rapid.IntRange(1, most).Draw(rt, "ms")) * time.Millisecond)
}

// begin asks one thing in one account's name.
func (h *chronicle) begin(rt *rapid.T) inquiry {
	q := query()
	i := inquiry{
		gateway: rapid.IntRange(0, 1).Draw(rt, "gateway"), scope: h.scope(tenancy.CompanyID(rapid.IntRange(1, historyAccounts).Draw(rt, "account"))),
		quiet: rapid.Bool().Draw(rt, "of long ago"), began: time.Now(),
	}
	if i.quiet {
		q.Filter.To = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	since := time.Since(h.logSince)
	i.logSafe, i.logDead = !h.logDown && since > historyCalm, h.logDown && since > invalidation.Silence+time.Millisecond
	i.answer = begin(h.t.Context(), h.gateways[i.gateway], i.scope, q)
	synctest.Wait()
	return i
}

func (h *chronicle) ask(rt *rapid.T) { h.check(rt, h.begin(rt)) }

// askSlowly asks something whose load sees what is there now and ends later.
func (h *chronicle) askSlowly(rt *rapid.T) {
	h.mu.Lock()
	h.slow = time.Duration(rapid.IntRange(1, 4000).Draw(rt, "slow by ms")) * time.Millisecond
	h.mu.Unlock()
	h.slowly = append(h.slowly, h.begin(rt))
	h.mu.Lock()
	h.slow = 0
	h.mu.Unlock()
}

// collect judges what has come meanwhile.
func (h *chronicle) collect(rt *rapid.T) {
	synctest.Wait()
	h.slowly = slices.DeleteFunc(h.slowly, func(i inquiry) bool {
		if len(i.answer) == 0 {
			return false
		}
		h.check(rt, i)
		return true
	})
}

const (
	// historyCalm is when a log that is back is followed, its events in effect.
	historyCalm = invalidation.LongestPause + invalidation.Step + invalidation.Silence
	// historyHeard is when an event is in effect, while the log is followed.
	historyHeard = invalidation.Step + time.Millisecond
)

// check holds an answer to what it may be.
func (h *chronicle) check(rt *rapid.T, i inquiry) {
	a := <-i.answer
	if a.err != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		if !errors.Is(a.err, search.ErrUnavailable) || !h.down && h.engineUp.Before(i.began) {
			rt.Fatalf("the engine answers, and a search does not: %v", a.err)
		}
		return
	}
	rows := map[tenancy.CompanyID]int{}
	for _, row := range a.result.Page.Rows {
		var version int
		if err := json.Unmarshal(row.JSON, &version); err != nil || rows[row.CompanyID] != 0 {
			rt.Fatalf("row %s of company %d, %v", row.JSON, row.CompanyID, err)
		}
		rows[row.CompanyID] = version
	}
	h.holdTo(rt, i, a.result.Page.Provenance, rows)
	counted := map[tenancy.CompanyID]int{}
	for company, rest := tenancy.CompanyID(1), a.result.Count.Total; rest > 0; company, rest = company+1, rest/historyBase {
		if version := int(rest % historyBase); version > 0 {
			counted[company] = version
		}
	}
	h.holdTo(rt, i, a.result.Count.Provenance, counted)
}

// holdTo checks that what is seen is of the scope, all of it, and not too old.
func (h *chronicle) holdTo(rt *rapid.T, i inquiry, served search.Provenance, seen map[tenancy.CompanyID]int) {
	bound := testStale
	if i.quiet || served.Outage {
		bound = testStaleIfError
	}
	if i.logDead {
		bound = testFresh
	}
	if served.Hit() && served.TTL > 0 && i.began.Sub(served.LoadedAt) >= testFresh {
		rt.Fatalf("it is said to be fresh, and was loaded %s before", i.began.Sub(served.LoadedAt))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for company := tenancy.CompanyID(1); company <= historyCompanies; company++ {
		version, visible := seen[company]
		switch {
		case visible != i.scope.Contains(company):
			rt.Fatalf("company %d, in the scope: %v, is shown: %v", company, i.scope.Contains(company), visible)
		case !visible || version >= len(h.writes[company]):
			continue
		}
		missed := h.writes[company][version]
		if age := i.began.Sub(missed.at); age >= bound {
			rt.Fatalf("an answer %+v lacks what was written %s before it was asked for", served, age)
		}
		if published := i.began.Sub(missed.published); i.logSafe && !missed.published.IsZero() && published >= historyHeard {
			rt.Fatalf("an answer %+v lacks what was published %s before it was asked for", served, published)
		}
	}
}

// Whatever is written, moved, published, lost and broken: no answer is older than its
// bound, and none shows a company that is not of the account's scope.
func TestNoAnswerIsOlderThanItsBoundThroughAnyHistory(t *testing.T) {
	scopes := allScopes(t)
	rapid.Check(t, func(rt *rapid.T) {
		inBubble(t, func(t *testing.T) {
			t.Helper()
			h := newChronicle(t, scopes)
			rt.Repeat(map[string]func(*rapid.T){
				"write": h.write, "publish": h.publish, "invalidate all": h.invalidateAll, "move": h.move,
				"restart Redis": h.restart, "switch the log": h.switchLog, "switch the engine": h.switchEngine, "pass": h.pass,
				"ask": h.ask, "ask again": h.ask, "ask more": h.ask, "ask slowly": h.askSlowly, "": h.collect,
			})
			for _, c := range h.gateways {
				c.shared.drain()
			}
		})
	})
}

// inBubble is synctest.Test for what may panic, as rapid does where it fails.
func inBubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	var panicked any
	synctest.Test(t, func(t *testing.T) {
		defer func() { panicked = recover() }()
		f(t)
	})
	switch {
	case panicked == nil:
	case fmt.Sprintf("%T", panicked) == "rapid.invalidData":
		// On a line of its own: rapid takes two panics of one line for the same
		// failure, and would shrink a failure to an input that is none.
		panic(panicked)
	default:
		panic(panicked)
	}
}
