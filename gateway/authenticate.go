package gateway

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/tenancy"
)

var (
	// errCredentials: the Authorization header is not one bearer token.
	errCredentials = &tenancy.RefusedError{Reason: tenancy.ReasonCredentials, Text: "malformed credentials"}
	// errScheme: the Authorization header has another scheme than Bearer.
	errScheme = &tenancy.RefusedError{Reason: tenancy.ReasonScheme, Kind: tenancy.ErrTokenMissing, Text: "the scheme is not Bearer"}
)

// authenticate verifies the token and sets the request's principal, unless recall
// has set it.
func (a *api) authenticate(c *gin.Context) error {
	state := stateFrom(c)
	return a.step(c.Request.Context(), "auth", &state.timings.auth, func(ctx context.Context) error {
		if !state.fromMemo {
			token, err := bearerToken(c.Request.Header)
			if err != nil {
				return err
			}
			if state.principal, err = a.verifier.Verify(ctx, token); err != nil {
				return err
			}
		}
		trace.SpanFromContext(ctx).SetAttributes(tenantAttributes(state.principal)...)
		return nil
	})
}

// fromMemo sets the request's principal if its token was verified before, and reports
// whether it was. It does so for routes that need a token only: other requests are
// charged to the address.
func (a *api) fromMemo(c *gin.Context) bool {
	if !strings.HasPrefix(c.FullPath(), apiPath+"/") {
		return false
	}
	token, err := bearerToken(c.Request.Header)
	if err != nil {
		return false
	}
	state := stateFrom(c)
	state.principal, state.fromMemo = a.verifier.Cached(token)
	return state.fromMemo
}

// bearerToken returns the token of the only Authorization header. Two headers are
// refused: a proxy in front may have checked the other one.
func bearerToken(h http.Header) (string, error) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", tenancy.ErrTokenMissing
	}
	if len(values) > 1 {
		return "", errCredentials
	}
	// The scheme's case does not matter (RFC 9110, section 11.1).
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", errScheme
	}
	token = strings.Trim(token, " ")
	if token == "" || strings.ContainsAny(token, " \t,") {
		return "", errCredentials
	}
	return token, nil
}
