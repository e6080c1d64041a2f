package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/metric"

	"github.com/scopegate/scopegate/gateway/params"
	"github.com/scopegate/scopegate/limits"
	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
)

// problemBody is an RFC 9457 problem. The published client reads the further keys
// error and details.
type problemBody struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Instance is "/requests/<request id>". It identifies this occurrence and
	// cannot be fetched. The request's own URL could hold a session id, a name or a
	// phone, and a problem may be forwarded.
	Instance string         `json:"instance"`
	TraceID  string         `json:"traceId"`
	Error    string         `json:"error"`
	Details  []params.Fault `json:"details"`
}

// fail answers with the problem for the error.
func (a *api) fail(c *gin.Context, err error) {
	ctx, state := c.Request.Context(), stateFrom(c)
	p := a.recordFailure(ctx, state, err)
	if p.status >= http.StatusInternalServerError {
		a.logger.LogAttrs(ctx, slog.LevelError, "request failed",
			slog.String("request_id", state.requestID),
			slog.String("error", p.code),
			slog.String("cause", reason.Of(err)))
	}
	if p.status == statusCallerGone {
		c.Status(p.status) // for the log: the caller has gone
		return
	}
	a.writeProblem(c, p, faultsIn(err))
}

// recordFailure sets the request's failure and refusal, and counts the error in the
// metrics that it belongs to.
func (a *api) recordFailure(ctx context.Context, state *requestState, err error) problem {
	p := problemFor(ctx, err)
	state.failure = p.code
	if state.refusal = newRefusal(err); state.refusal.reason != "" {
		a.meters.refused.Add(ctx, 1, metric.WithAttributes(state.refusal.reasonAttribute()))
	}
	if errors.Is(err, search.ErrForeignRow) {
		a.meters.violations.Add(ctx, 1)
	}
	if errors.Is(err, search.ErrTooManyLoads) {
		a.meters.overLimit(ctx, limitLoads)
	}
	if errors.Is(err, search.ErrBusy) {
		a.meters.overLimit(ctx, limitEngine)
	}
	return p
}

// writeProblem sends the problem. faults replace its detail.
func (a *api) writeProblem(c *gin.Context, p problem, faults params.Faults) {
	state, h := stateFrom(c), c.Writer.Header()
	if p.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", challenge(p))
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	detail := p.detail
	if len(faults) > 0 {
		detail = describe(faults)
	}
	body, err := json.Marshal(problemBody{
		Type: "about:blank", Title: http.StatusText(p.status), Status: p.status,
		Detail: detail, Instance: "/requests/" + state.requestID, TraceID: state.traceID,
		Error: detail, Details: append([]params.Fault{}, faults...),
	})
	if err != nil {
		panic(err) // strings and numbers can always be encoded
	}
	c.Status(p.status)
	if (errors.Is(p.is, limits.ErrOwnRequests) || errors.Is(p.is, limits.ErrAllRequests)) && c.Request.ProtoMajor > 1 {
		// The request is not counted, so its answer must not wait. Over HTTP/2 a body
		// waits for its reader; the header does not.
		c.Writer.WriteHeaderNow()
		return
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	a.write(c, newContent(body))
}

// challenge is the value of WWW-Authenticate (RFC 6750, section 3). It has no error
// code if no token was sent.
func challenge(p problem) string {
	const realm = `Bearer realm="scopegate"`
	if p.challenge == "" {
		return realm
	}
	return realm + ", " + p.challenge
}

// faultsIn returns the faults that the error wraps, nil if there are none.
func faultsIn(err error) params.Faults {
	var faults params.Faults
	_ = errors.As(err, &faults)
	return faults
}

// describe joins the faults to one line, for clients that do not show details.
func describe(faults params.Faults) string {
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = f.Parameter + ": " + f.Message
	}
	return strings.Join(lines, "; ")
}
