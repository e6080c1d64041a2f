package tenancy

import "context"

// Caller is whom work is done for, where work is shared out fairly. It grants nothing:
// what a caller may see is decided by a Scope only.
type Caller struct {
	Account Account
	Company CompanyID
}

type callerKey struct{}

// WithCaller returns a context for work that is done for the caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerIn returns the caller that WithCaller has set; ok is false if there is none.
func CallerIn(ctx context.Context) (c Caller, ok bool) {
	c, ok = ctx.Value(callerKey{}).(Caller)
	return c, ok
}
