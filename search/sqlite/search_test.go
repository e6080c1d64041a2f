package sqlite

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

func TestAStatementWithoutAScopeCannotBeBuilt(t *testing.T) {
	for name, scope := range map[string]scopeSet{
		"none": {}, "no companies": {sql: "()"}, "no text": {size: 1},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("built")
				}
			}()
			newPlanner(defaultLimits(), nil, scope, search.Filter{}).where(access{})
		})
	}
}

func TestTheScopeIsTheFirstCondition(t *testing.T) {
	filter := search.Filter{ChatID: "c", Keyword: mustKeyword(t, "anna"), Tags: []string{"x"}}
	p := newPlanner(defaultLimits(), nil, scopeSet{sql: "(1,2)", size: 2}, filter)
	for _, a := range []access{indexed("sessions_company", false), match{expression: "x"}.access(), *amongKeys([]int64{1})} {
		where := p.where(a, condition{sql: "s.id > 'a'"}).sql.String()
		where = strings.Replace(where, "+", "", 1)
		if !strings.HasPrefix(where, " WHERE s.company_id IN (1,2) AND ") || strings.Contains(where, " OR s.company_id") {
			t.Errorf("%s: %s", a.from, where)
		}
	}
}

func TestAnEmptyScopeDoesNotAskTheDatabase(t *testing.T) {
	s := openStore(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := s.Search(t.Context(), tenancy.Scope{}, search.Query{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(search.Result{}, got); diff != "" {
		t.Error(diff)
	}
}

// The store has one connection, so that scopes in the table and inline scopes
// alternate on it.
func TestScopesFollowEachOtherOnAConnection(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), Readers: 1})
	s.limits.inlineScope = 1
	write(t, s, newSession(t, "a", 1, nil), newSession(t, "b", 2, nil), newSession(t, "c", 3, nil))
	one, ab, bc := tenancytest.Scope(t, 1), tenancytest.Scope(t, 1, 2), tenancytest.Scope(t, 2, 3)
	for _, step := range []struct {
		scope tenancy.Scope
		want  string
	}{{ab, "a b"}, {ab, "a b"}, {bc, "b c"}, {one, "a"}, {bc, "b c"}, {ab, "a b"}} {
		got, err := s.Search(t.Context(), step.scope, search.Query{Limit: 10, Fields: session.AllFields()})
		if err != nil {
			t.Fatal(err)
		}
		if ids := strings.Join(ids(t, got.Page), " "); ids != step.want {
			t.Errorf("got %s, want %s", ids, step.want)
		}
	}
}

func TestEverySortableFieldHasAColumn(t *testing.T) {
	columns := map[string]bool{}
	for _, name := range columnNames() {
		columns[name] = true
	}
	for _, f := range session.Fields() {
		column, ok := sortColumns[f.Name]
		if ok != (f.SortName != "") || ok && !columns[column] {
			t.Errorf("%s: sortable %v, column %q", f.Name, f.SortName != "", column)
		}
	}
}

func TestErrorsAreThoseOfTheInterface(t *testing.T) {
	s := openStore(t)
	write(t, s, newSession(t, "a", 1, nil))
	scope := tenancytest.Scope(t, 1)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, end := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer end()
	ask := func(ctx context.Context, q search.Query, want error) {
		t.Helper()
		if _, err := s.Search(ctx, scope, q); !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	}
	ask(cancelled, search.Query{Limit: 1}, context.Canceled)
	ask(late, search.Query{Limit: 1}, search.ErrTimeout)
	ask(t.Context(), search.Query{Limit: 1, After: &search.Position{}}, search.ErrInvalidPosition)
	ask(t.Context(), search.Query{Limit: 1, Sort: []search.SortKey{{Field: "tags"}}}, errNotSortable)
	if _, err := s.Search(t.Context(), scope, search.Query{Limit: 1}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// The statement would run far longer than the test waits; only the interrupt ends
// it.
func TestACancelledContextInterruptsAStatement(t *testing.T) {
	s := openStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- s.readers.use(ctx, func(r *reader) error {
			return r.snapshot(ctx, func() error {
				close(started)
				_, err := r.number(ctx, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
				return err
			})
		})
	}()
	<-started
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestASearchThatNobodyWaitsForFreesItsConnection(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), Readers: 1})
	write(t, s, newSession(t, "a", 7, nil))
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		started, done := make(chan struct{}), make(chan error, 1)
		go func() {
			done <- s.readers.use(ctx, func(r *reader) error {
				close(started)
				_, err := r.number(ctx, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
				return err
			})
		}()
		<-started
		time.Sleep(20 * time.Millisecond) // the statement runs
		cancel()
		left := time.Now()
		// The only connection is free for others, and works.
		result, err := s.Search(t.Context(), tenancytest.Scope(t, 7), search.Query{WithoutItems: true})
		if err != nil || result.Count.Total != 1 {
			t.Errorf("count %d, %v", result.Count.Total, err)
		}
		t.Logf("free %s after the caller left", time.Since(left))
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	}
}

func TestErrorsHoldNothingOfWhatWasAsked(t *testing.T) {
	s := openStore(t)
	err := s.readers.use(t.Context(), func(r *reader) error {
		return execute(t.Context(), r.conn, "SELECT 1 FROM session_terms WHERE session_terms MATCH '\"secret'")
	})
	if !errors.Is(err, errBroken) || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

func TestASpanHasSizesAndNoTexts(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	ctx, root := provider.Tracer("test").Start(t.Context(), "root")
	s := openStore(t)
	write(t, s, newSession(t, "a", 1, values{"name": "Hidden Name"}))
	q := search.Query{Limit: 10, Filter: search.Filter{Keyword: mustKeyword(t, "hidden")}, WithoutCount: true}
	if _, err := s.Search(ctx, tenancytest.Scope(t, 1, 2), q); err != nil {
		t.Fatal(err)
	}
	root.End()
	got := map[string]string{}
	for _, span := range recorder.Ended() {
		if span.Name() != "engine" {
			continue
		}
		for _, a := range span.Attributes() {
			got[string(a.Key)] = a.Value.String()
		}
	}
	want := map[string]string{
		"db.system.name": "sqlite", "scopegate.search.kind": "page",
		"scopegate.scope.size": "2", "db.response.returned_rows": "1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
