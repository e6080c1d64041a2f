package gateway

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// handler answers a request, or returns an error that problems.go maps to an answer;
// never both.
type handler func(c *gin.Context) error

// route lists the middleware, in the order in which a request meets it, and
// the routes.
func (a *api) route(engine *gin.Engine) error {
	engine.Use(
		newState,       // first: all others use it
		commonHeaders,  // before anything can answer
		a.recoverPanic, // around the telemetry
		a.trace,        // before anything can log or fail: both need the trace id
		a.accessLog,    // within the trace, around all answers and refusals
		a.measure,      // likewise
		a.recoverPanic, // within the telemetry, which reads the status of its answer
		a.cors,         // before anything can refuse: pages read problems too
		a.countRequest, // before any work
		a.handle(a.limitHead),
		a.handle(a.limitAddress), // before anything that many requests could make expensive
		a.handle(refuseBody),     // before any work: a body that is not read must hold nothing
		a.deadline,               // last: it bounds the work, not the telemetry
	)
	engine.NoRoute(a.handle(noRoute))
	engine.NoMethod(a.handle(noMethod))

	// The contract needs no token.
	if err := a.routeDocs(engine); err != nil {
		return err
	}

	// Authentication comes before decoding: a caller without a token learns nothing
	// about parameters (401 comes before 400).
	v1 := engine.Group(apiPath, a.handle(a.authenticate), a.handle(a.refundAddress))
	read := []string{http.MethodGet, http.MethodHead}
	for _, r := range []struct {
		methods []string
		path    string
		cost    int // charged to the account and its company
		handler handler
	}{
		{read, "/sessions", pageCost, a.search},
		{[]string{http.MethodPost}, "/sessions/search", pageCost, a.search},
		{read, "/sessions/summary", summaryCost, a.summarize},
		{[]string{http.MethodPost}, "/sessions/summary", summaryCost, a.summarize},
		{read, "/sessions/:id", pageCost, a.session},
		{read, exportRoute, exportCost, a.export},
		{[]string{http.MethodPost}, exportRoute, exportCost, a.export},
		{read, "/companies", pageCost, a.companies},
		{read, "/me", pageCost, a.me},
	} {
		v1.Match(r.methods, r.path, a.handle(a.charge(r.cost)), a.handle(r.handler))
	}
	return nil
}

// apiPath is the prefix of all routes that need a token.
const apiPath = "/api/v1"

// exportRoute is the path of exports below apiPath.
const exportRoute = "/sessions/export"

// Costs of requests, in pages.
const (
	pageCost = 1
	// summaryCost is higher, since a summary reads every match.
	summaryCost = 5
	// exportCost is more than that of the pages a person would read instead. The work
	// of exports is bounded by how many may run at once.
	exportCost = 20
)

// get adds a route for GET and HEAD. RFC 9110, section 9.1, requires both; net/http
// leaves out the body of an answer to HEAD.
func (a *api) get(routes gin.IRoutes, path string, h handler) {
	routes.GET(path, a.handle(h))
	routes.HEAD(path, a.handle(h))
}

// handle makes a handler one of Gin's: an error is answered, and ends the chain.
func (a *api) handle(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			a.fail(c, err)
			c.Abort()
		}
	}
}

func noRoute(*gin.Context) error { return errNoRoute }

// noMethod answers after Gin has set Allow.
func noMethod(*gin.Context) error { return errMethodNotAllowed }

// otherMethod is the name of all methods that HTTP does not define.
const otherMethod = "_OTHER"

// methodName returns the method's name for logs, spans and metrics: otherMethod if a
// caller sends any other text (OpenTelemetry's HTTP conventions).
func methodName(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return r.Method
	}
	return otherMethod
}
