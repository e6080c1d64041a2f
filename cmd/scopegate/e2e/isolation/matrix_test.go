package isolation_test

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// matrixWorkers ask at the same time, each a part of the table of its own, so
// that each knows what the cache holds for it.
const matrixWorkers = 4

// leastCombinations is what the table must come to on each engine.
const leastCombinations = 5000

func TestNoCombinationShowsWhatIsForeign(t *testing.T) {
	for engine, empty := range harness.Engines() {
		t.Run(engine, func(t *testing.T) {
			spans := collectSpans(t)
			m := &matrix{world: newWorld(t, empty(t), "cache.fresh=1m", "cache.max_size=1GiB", "log.level=debug"), t: t, asked: map[int]int{}, tags: map[string][32]byte{}}
			m.run()
			if n := len(m.traces); n < leastCombinations {
				t.Errorf("%d combinations, want at least %d", n, leastCombinations)
			}
			t.Logf("%d combinations, by status %v", len(m.traces), m.asked)
			m.checkRecords(spans)
		})
	}
}

// matrix asks every row of the table in every caller's name.
type matrix struct {
	*world

	t      *testing.T
	failed atomic.Int64

	mu     sync.Mutex
	asked  map[int]int         // requests by the status that they get
	tags   map[string][32]byte // what each ETag was seen to stand for
	traces []string
}

// series is one row with one selection: everybody asks for the same, cold and
// warm, in an order.
type series struct {
	row      matrixRow
	selected selection
	unlike   int // no other series shares anything in the cache
	callers  []caller
}

// visit is a caller's turn in a series.
type visit struct {
	caller
	want   outcome
	tag    string // the ETag that it got
	goesOn string
}

func (m *matrix) run() {
	m.Client.Transport = &http.Transport{MaxIdleConnsPerHost: matrixWorkers}
	work := make(chan series)
	var working sync.WaitGroup
	for range matrixWorkers {
		working.Go(func() {
			for s := range work {
				m.play(s)
			}
		})
	}
	unlike := 0
	for _, row := range matrixRows() {
		for _, selected := range row.selections {
			orders := [][]caller{slices.Clone(m.callers)}
			if row.bothWays {
				orders = append(orders, slices.Clone(m.callers))
				slices.Reverse(orders[1])
			}
			for _, order := range orders {
				unlike++
				work <- series{row, selected, unlike, order}
			}
		}
	}
	close(work)
	working.Wait()
}

// play asks in everybody's name four times: with nothing in the cache for a
// scope until somebody has asked for it; with everything there; with the ETag of
// whoever came before; and for the next page.
func (m *matrix) play(s series) {
	visits := make([]visit, len(s.callers))
	seen := map[string]bool{}
	for i, c := range s.callers {
		want := s.row.want(m.model, c, s.selected, s.unlike)
		t := cold
		if seen[scopeKey(want.scope)] {
			t = warm
		}
		seen[scopeKey(want.scope)] = true
		r := m.try(s, c, want, t, "first", s.row.ask(s.selected, s.unlike))
		visits[i] = visit{c, want, r.Header.Get("ETag"), r.Next()}
		m.remember(s, visits[i])
	}
	for _, v := range visits {
		if v.want.status == http.StatusOK { // who is refused asks a warm cache below
			m.try(s, v.caller, v.want, warm, "warm", s.row.ask(s.selected, s.unlike))
		}
	}
	for i, v := range visits {
		before := visits[(i+len(visits)-1)%len(visits)]
		if before.tag == "" {
			before = v // its own
		}
		want := v.want
		if want.status == http.StatusOK && !want.streamed() && want.represents() == before.want.represents() {
			want.status = http.StatusNotModified
		}
		m.try(s, v.caller, want, warm, "tagged", s.row.ask(s.selected, s.unlike), "If-None-Match", before.tag)
	}
	m.goOn(s, visits)
}

// goOn follows each Link in the name of the one who got it, and in the name of
// who comes after.
func (m *matrix) goOn(s series, visits []visit) {
	for i, v := range visits {
		if v.goesOn == "" || v.want.last == nil {
			continue
		}
		q := s.row.inquire(s.selected, s.unlike)
		q.after = v.want.last
		next := s.row.ask(s.selected, s.unlike)
		want := q.answeredTo(m.model, v.caller, nextTarget(next))
		next.target = v.goesOn
		m.try(s, v.caller, want, unknown, "next page", next)

		thief := visits[(i+1)%len(visits)]
		want = problemOutcome(http.StatusBadRequest, "")
		if thief.refused != "" {
			want = problemOutcome(http.StatusUnauthorized, thief.refused)
		}
		m.try(s, thief.caller, want, unknown, "with the cursor of "+v.name, next)
	}
}

// try asks once and holds the reply against the model.
func (m *matrix) try(s series, c caller, want outcome, t temper, turn string, a asked, headers ...string) harness.Reply {
	r, err := ask(m.t.Context(), m.Gateway, c, a, headers...)
	var fault string
	if err != nil {
		fault = err.Error()
	} else {
		fault = want.fault(r, t, a.method)
	}
	if fault != "" && m.failed.Add(1) <= 10 { // the first tell enough
		m.t.Errorf("%s, %+v, asked by %s, %s: %s", s.row.name, s.selected, c.name, turn, fault)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked[want.status]++
	m.traces = append(m.traces, traceOf(r))
	return r
}

// remember holds each ETag to one answer, whoever got it.
func (m *matrix) remember(s series, v visit) {
	if v.tag == "" {
		return
	}
	stands := sha256.Sum256([]byte(v.want.represents()))
	m.mu.Lock()
	defer m.mu.Unlock()
	if before, known := m.tags[v.tag]; known && before != stands {
		m.t.Errorf("%s, %+v: %s stands for two answers", s.row.name, s.selected, v.tag)
	}
	m.tags[v.tag] = stands
}

// checkRecords looks for a canary, of any company, in all that the gateway has
// written about the requests.
func (m *matrix) checkRecords(spans *spanCollector) {
	m.t.Helper()
	metrics := string(m.Probe(m.t, "/metrics").Body)
	if err := m.Stop(); err != nil {
		m.t.Fatal(err)
	}
	exported := spans.text()
	for where, text := range map[string]string{"log": m.Logs.String(), "spans": exported, "metrics": metrics} {
		if text == "" {
			m.t.Errorf("nothing is in the %s", where)
		}
		if found := foreignCanary(text, nil); found != "" {
			at := strings.Index(text, found)
			m.t.Errorf("the %s holds a canary: …%q…", where, text[max(0, at-200):min(len(text), at+200)])
		}
	}
	ids := spans.traces()
	missing := 0
	for _, id := range m.traces {
		if !ids[id] {
			missing++
		}
	}
	if missing > 0 {
		m.t.Errorf("%d of %d traces were not looked at", missing, len(m.traces))
	}
	if lines := strings.Count(m.Logs.String(), `"msg":"request"`); lines < len(m.traces) {
		m.t.Errorf("%d requests are in the log, want %d", lines, len(m.traces))
	}
	m.t.Logf("%d bytes of log, %d of spans, %d of metrics", len(m.Logs.String()), len(exported), len(metrics))
}
