package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/gateway/params"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// input returns the parameters of the request, not yet decoded: the query, and the
// body of a POST.
func (a *api) input(c *gin.Context) (in params.Input, err error) {
	in = params.Input{Query: c.Request.URL.RawQuery, Post: c.Request.Method == http.MethodPost}
	if in.Post {
		in.Body, err = a.readJSON(c)
	}
	return in, err
}

// search answers GET /api/v1/sessions and POST /api/v1/sessions/search.
func (a *api) search(c *gin.Context) error {
	in, err := a.input(c)
	if err != nil {
		return err
	}
	req, err := params.Search(in)
	if err != nil {
		return err
	}
	ctx, state := c.Request.Context(), stateFrom(c)
	if err := a.openCursor(state.principal, &req); err != nil {
		return err
	}
	scope, err := a.resolve(ctx, state, func() (tenancy.Scope, error) {
		return a.directory.Resolve(state.principal, req.Selection)
	})
	if err != nil {
		return err
	}
	result, components, err := a.ask(c, scope, req.Query)
	if errors.Is(err, search.ErrInvalidPosition) {
		return fmt.Errorf("%w: %w", err, startFault(req))
	}
	if err != nil {
		return err
	}
	return a.respond(c, searchBody(req.Query, result).size(), func() (encoded, error) {
		return a.encodePage(c, req, in, result, components)
	}, attribute.Int("scopegate.rows", len(result.Page.Rows)))
}

// encodePage encodes the answer of a search, with a link to the next page.
func (a *api) encodePage(c *gin.Context, req params.SearchRequest, in params.Input, r search.Result, components []component) (encoded, error) {
	state := stateFrom(c)
	to, err := a.pageAnswer(req, r, state.started)
	if err != nil {
		return encoded{}, err
	}
	to.components = components
	if err := a.linkNext(&to, state.principal, req, r.Page, newNextLink(in)); err != nil {
		return encoded{}, err
	}
	return a.encode(c.Request, to), nil
}

// linkNext sets the link to the next page, if there is one. Without it a caller can
// still use offset: there is none if the cursor or the URL would be too long.
func (a *api) linkNext(to *answer, p tenancy.Principal, req params.SearchRequest, page search.Page, next nextLink) error {
	if !page.More || len(page.Rows) == 0 {
		return nil
	}
	position := page.Rows[len(page.Rows)-1].Position
	cursor, err := a.cursors.Seal(position, cursorBinding(p, req))
	if errors.Is(err, errCursorTooLong) {
		return nil
	}
	if err != nil {
		return err
	}
	// A longer URL would be refused when it is followed.
	if link := next(cursor); maxSearchPath+len(link) <= a.maxURLBytes {
		to.next, to.position = link, position
	}
	return nil
}

// startFault is the fault of the parameter that says where the page starts.
func startFault(req params.SearchRequest) params.Faults {
	parameter := "offsetValue"
	if req.Cursor != "" {
		parameter = "cursor"
	}
	return params.Faults{{Parameter: parameter, Message: "does not fit the sort order"}}
}

// resolve finds the scope of the request, and records its size in the state and the
// span.
func (a *api) resolve(ctx context.Context, state *requestState, find func() (tenancy.Scope, error)) (scope tenancy.Scope, err error) {
	err = a.step(ctx, "scope", &state.timings.scope, func(ctx context.Context) error {
		if scope, err = find(); err != nil {
			return err
		}
		state.scopeSize, state.resolved = scope.Len(), true
		trace.SpanFromContext(ctx).SetAttributes(scopeSize(state.scopeSize))
		return nil
	})
	return scope, err
}

// ask searches, and checks that every row is in the scope.
func (a *api) ask(c *gin.Context, scope tenancy.Scope, q search.Query) (search.Result, []component, error) {
	ctx, fresh := a.freshness(c)
	start := time.Now()
	result, err := a.searcher.Search(ctx, scope, q)
	if errors.Is(err, search.ErrPageTooLarge) {
		err = fmt.Errorf("%w: %w", err, sizeFaults(q))
	}
	if errors.Is(err, search.ErrTooManyClients) {
		err = tooManyClients()
	}
	if err != nil {
		return search.Result{}, nil, err
	}
	components := newComponents(q, result, fresh)
	a.recordComponents(c, time.Since(start), components)
	// SECURITY: the last check before rows leave, beside that between engine and
	// cache. A foreign row makes the answer a 500, and nothing of it is sent.
	return result, components, search.CheckRows(scope, result.Page.Rows)
}

// tooManyClients is the fault of a search for the newest sessions of clients.
func tooManyClients() params.Faults {
	return params.Faults{{Parameter: "groupByClientId", Message: fmt.Sprintf(
		"has more than %d clients or more than %d sessions to choose from; narrow the search by from and to, by companyId or by another filter",
		search.MaxClients, search.MaxOfClients)}}
}

// sizeFaults are the faults of the parameters that make the page too large.
func sizeFaults(q search.Query) params.Faults {
	fields := params.Fault{Parameter: "fields", Message: "must be fewer: the answer has more bytes than a page may"}
	if q.Limit == 1 {
		return params.Faults{fields}
	}
	return params.Faults{
		{Parameter: "limit", Message: "must be lower, or fields fewer: the rows have more bytes than a page may"},
		fields,
	}
}

// freshness returns the context for a search. It holds the account that loads count
// for and, if the caller sends one, the highest age of a cached answer. fresh means
// that the answer must not be from a cache.
func (a *api) freshness(c *gin.Context) (ctx context.Context, fresh bool) {
	p := stateFrom(c).principal
	ctx = tenancy.WithCaller(c.Request.Context(), tenancy.Caller{Account: p.Account(), Company: p.Company()})
	age, bounded := maxAge(c.Request.Header)
	if a.withMaxAge == nil || !bounded {
		return ctx, false
	}
	return a.withMaxAge(ctx, age), age == 0
}

// recordComponents adds the components to the timings of the request and to the
// metrics.
func (a *api) recordComponents(c *gin.Context, took time.Duration, components []component) {
	stateFrom(c).timings.searched(took, components)
	for _, p := range components {
		a.meters.recordComponent(c.Request.Context(), p)
	}
}

// session answers GET /api/v1/sessions/{id}. Its scope is everything that the caller
// may see, so that a link to a session works whatever companies are selected.
func (a *api) session(c *gin.Context) error {
	ctx, state := c.Request.Context(), stateFrom(c)
	fields, err := params.Item(c.Request.URL.RawQuery)
	id, idErr := sessionID(c.Param("id"))
	if faults := append(faultsIn(idErr), faultsIn(err)...); len(faults) > 0 {
		return faults
	}
	scope, err := a.resolve(ctx, state, func() (tenancy.Scope, error) { return a.directory.Supervised(state.principal) })
	if err != nil {
		return err
	}
	result, components, err := a.ask(c, scope, search.Query{
		Filter: search.Filter{SessionID: id},
		Sort:   search.DefaultSort(), Fields: fields, Limit: 1, WithoutCount: true,
	})
	if err != nil {
		return err
	}
	if len(result.Page.Rows) == 0 {
		return errNoSession
	}
	return a.reply(c, answer{body: newContent(result.Page.Rows[0].JSON), components: components})
}

// sessionID decodes an id from the path. Its error is the fault of the parameter if
// the text cannot be an id.
func sessionID(escaped string) (string, error) {
	id, err := url.PathUnescape(escaped)
	switch {
	case err != nil, !utf8.ValidString(id):
		return "", params.Faults{{Parameter: "id", Message: "must be valid UTF-8"}}
	case strings.ContainsRune(id, 0):
		return "", params.Faults{{Parameter: "id", Message: "must not contain a NUL character"}}
	case id == "":
		// An empty filter would match every session of the scope.
		return "", params.Faults{{Parameter: "id", Message: "must not be empty"}}
	}
	return id, nil
}
