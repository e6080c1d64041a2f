package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/scopegate/scopegate/audit"
	"github.com/scopegate/scopegate/gateway/httpserver/servertest"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// memorySnapshots reads a stage's sessions by id, three at a time.
type memorySnapshots struct {
	sessions []storedSession
	// before, when set, is called before each batch, counted from 0.
	before func(ctx context.Context, batch int) error
	// spoil, when set, changes a batch.
	spoil func(rows []search.Row) []search.Row
	open  atomic.Int32
	mu    sync.Mutex
	asked []search.Query
}

var _ search.Snapshotter = (*memorySnapshots)(nil)

func (m *memorySnapshots) Snapshot(_ context.Context, scope tenancy.Scope, q search.Query) (search.Snapshot, error) {
	m.mu.Lock()
	m.asked = append(m.asked, q)
	m.mu.Unlock()
	s := &memorySnapshot{from: m}
	for _, one := range m.sessions {
		if !scope.Contains(one.company) {
			continue
		}
		s.count++
		row := search.Row{CompanyID: one.company, JSON: json.RawMessage(`{"id":"` + one.id + `"}`)}
		if q.After == nil || string(q.After.Values[0]) < `"`+one.id+`"` {
			s.rows = append(s.rows, row)
		}
	}
	s.rows = s.rows[min(q.Offset, len(s.rows)):]
	if q.Limit > 0 {
		s.rows = s.rows[:min(q.Limit, len(s.rows))]
	}
	m.open.Add(1)
	return s, nil
}

type memorySnapshot struct {
	from   *memorySnapshots
	count  int64
	rows   []search.Row
	batch  int
	given  []search.Row // of the last batch, to be overwritten by the next
	closed bool
}

func (s *memorySnapshot) Count() int64 { return s.count }

func (s *memorySnapshot) Next(ctx context.Context) ([]search.Row, error) {
	for _, row := range s.given { // bytes are valid until now
		for i := range row.JSON {
			row.JSON[i] = '?'
		}
	}
	if s.from.before != nil {
		if err := s.from.before(ctx, s.batch); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.batch++
	n := min(3, len(s.rows))
	if n == 0 {
		return nil, io.EOF
	}
	s.given, s.rows = s.rows[:n], s.rows[n:]
	if s.from.spoil != nil {
		return s.from.spoil(s.given), nil
	}
	return s.given, nil
}

func (s *memorySnapshot) Close() error {
	if !s.closed {
		s.closed = true
		s.from.open.Add(-1)
	}
	return nil
}

// auditLines keeps events.
type auditLines struct {
	mu     sync.Mutex
	events []audit.Event
	err    error
}

func (l *auditLines) Write(_ context.Context, events ...audit.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, events...)
	return l.err
}

func (l *auditLines) all() []audit.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]audit.Event(nil), l.events...)
}

// exportStage is a stage that exports, with its record.
type exportStage struct {
	*stage

	snapshots *memorySnapshots
	audit     *auditLines
}

func newExportStage(tb testing.TB, e Exports, change ...func(*exportStage, *Options)) *exportStage {
	tb.Helper()
	s := &exportStage{snapshots: &memorySnapshots{sessions: stageSessions()}, audit: &auditLines{}}
	s.stage = newStage(tb, func(o *Options) {
		o.Snapshotter, o.Audit, o.Exports = s.snapshots, s.audit, e
		for _, f := range change {
			f(s, o)
		}
	})
	return s
}

// manySessions are n of one company, in the order of their ids.
func manySessions(n int) []storedSession {
	all := make([]storedSession, n)
	for i := range all {
		all[i] = storedSession{id: fmt.Sprintf("s%07d", i), company: ownCompany}
	}
	return all
}

// raw sends a request on a connection of its own, by any version of HTTP.
func (s *exportStage) raw(t *testing.T, target, token, version string, header ...string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	conn := servertest.Dial(t, strings.TrimPrefix(s.url, "http://"))
	request := "GET " + target + " HTTP/" + version + "\r\nHost: gateway\r\nAuthorization: Bearer " + token + "\r\n" + strings.Join(header, "\r\n") + "\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// readAll reads the body of an answer, and tells whether it was whole.
func readAll(response *http.Response) (string, error) {
	defer response.Body.Close() //nolint:errcheck // it is only read
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// gunzip unpacks what was compressed for the way.
func gunzip(packed []byte) (string, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return "", err
	}
	plain, err := io.ReadAll(r)
	return string(plain), err
}

// memoVerifier is a verifier whose tokens can be taken back, or expire.
type memoVerifier struct {
	TokenVerifier

	mu               sync.Mutex
	revoked, expired error
}

func (v *memoVerifier) fromMemo(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.revoked = err
}

func (v *memoVerifier) expire() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.expired = tenancy.ErrTokenExpired
}

func (v *memoVerifier) Verify(ctx context.Context, token string) (tenancy.Principal, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.expired != nil {
		return tenancy.Principal{}, v.expired
	}
	return v.TokenVerifier.Verify(ctx, token)
}

// Cached finds no token that Verify would refuse.
func (v *memoVerifier) Cached(token string) (tenancy.Principal, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.expired != nil {
		return tenancy.Principal{}, false
	}
	return v.TokenVerifier.Cached(token)
}

func (v *memoVerifier) Revoked(tenancy.Principal) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.revoked
}
