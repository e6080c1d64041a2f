package searchtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// env is an engine, together with a copy of the data that it should hold.
type env struct {
	engine Engine
	scopes *scopes

	mu      sync.RWMutex
	records map[string]record
}

func newEnv(engine Engine, s *scopes) *env {
	return &env{engine: engine, scopes: s, records: map[string]record{}}
}

// scopes makes the scope of each set of companies once: only a directory can make a
// scope.
type scopes struct {
	tb   testing.TB
	mu   sync.Mutex
	made map[string]tenancy.Scope
}

func newScopes(tb testing.TB) *scopes {
	tb.Helper()
	return &scopes{tb: tb, made: map[string]tenancy.Scope{}}
}

func (s *scopes) of(companies []tenancy.CompanyID) tenancy.Scope {
	if len(companies) == 0 {
		return tenancy.Scope{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := fmt.Sprint(companies)
	scope, ok := s.made[key]
	if !ok {
		scope = tenancytest.Scope(s.tb, companies...)
		s.made[key] = scope
	}
	return scope
}

// write stores the documents in the engine and in the copy.
func (e *env) write(ctx context.Context, docs ...session.Document) error {
	return e.applyAll(ctx, upserts(docs))
}

func upserts(docs []session.Document) []session.Change {
	changes := make([]session.Change, 0, len(docs))
	for _, doc := range docs {
		changes = append(changes, session.Change{Kind: session.KindSession, Session: doc})
	}
	return changes
}

// applyAll applies changes that must all have an effect.
func (e *env) applyAll(ctx context.Context, changes []session.Change) error {
	written, err := e.apply(ctx, changes)
	if n := written.Upserted + written.Deleted; err == nil && n != len(changes) {
		err = fmt.Errorf("made %d changes, got Upserted %d, Deleted %d", len(changes), written.Upserted, written.Deleted)
	}
	return err
}

// replace makes the engine hold exactly these sessions, with one write. Sessions
// that stay are overwritten, also when they were in another company.
func (e *env) replace(ctx context.Context, docs []session.Document) error {
	stays := map[string]bool{}
	for _, doc := range docs {
		stays[doc.ID()] = true
	}
	changes := upserts(docs)
	e.mu.RLock()
	for id := range e.records {
		if !stays[id] {
			changes = append(changes, session.Change{Kind: session.KindSession, Delete: true, SessionID: id})
		}
	}
	e.mu.RUnlock()
	return e.applyAll(ctx, changes)
}

// remove deletes the sessions from the engine and from the copy.
func (e *env) remove(ctx context.Context, ids ...string) (session.Written, error) {
	changes := make([]session.Change, 0, len(ids))
	for _, id := range ids {
		changes = append(changes, session.Change{Kind: session.KindSession, Delete: true, SessionID: id})
	}
	return e.apply(ctx, changes)
}

// apply makes the changes in the engine, then in the copy.
func (e *env) apply(ctx context.Context, changes []session.Change) (session.Written, error) {
	written, err := e.engine.Write(ctx, changes)
	if err != nil {
		return written, fmt.Errorf("write: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range changes {
		switch {
		case c.Kind != session.KindSession:
		case c.Delete:
			delete(e.records, c.SessionID)
		default:
			r, err := newRecord(c.Session.JSON())
			if err != nil {
				return written, err
			}
			e.records[r.id] = r
		}
	}
	return written, nil
}

// held lists the sessions of the given companies that the engine should hold.
func (e *env) held(companies []tenancy.CompanyID) []record {
	e.mu.RLock()
	defer e.mu.RUnlock()
	wanted := map[tenancy.CompanyID]bool{}
	for _, id := range companies {
		wanted[id] = true
	}
	var held []record
	for _, r := range e.records {
		if wanted[r.company] {
			held = append(held, r)
		}
	}
	return held
}

// search runs the query on the engine.
func (e *env) search(ctx context.Context, a ask) (search.Result, error) {
	q, err := a.forEngine()
	if err != nil {
		return search.Result{}, err
	}
	return e.engine.Search(ctx, e.scopes.of(a.companies), q)
}

// agree runs the query on the engine and the naive scan, and reports every
// difference.
func (e *env) agree(ctx context.Context, a ask) (search.Result, answer, error) {
	want, err := scan(e.held(a.companies), a)
	if err != nil {
		return search.Result{}, answer{}, err
	}
	got, err := e.search(ctx, a)
	if err != nil {
		return got, want, fmt.Errorf("%v: %w", a, err)
	}
	return got, want, compare(a, got, want)
}

// expect is like agree, for pages whose ids are known: it also checks the naive
// scan.
func (e *env) expect(ctx context.Context, a ask, want string) error {
	_, naive, err := e.agree(ctx, a)
	if err != nil {
		return err
	}
	if got := strings.Join(naive.ids(), " "); got != want {
		return fmt.Errorf("%v: the engine and the naive scan agree on\n got %s\nwant %s", a, got, want)
	}
	return nil
}
