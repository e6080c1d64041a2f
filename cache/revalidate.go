package cache

import "context"

type revalidateKey struct{}

// WithRevalidate marks a search that must not be answered by what is kept, nor
// by a search that began before it: a caller's Cache-Control: no-cache (RFC
// 9111, section 5.2.1.4). What it finds is kept for others.
func WithRevalidate(ctx context.Context) context.Context {
	return context.WithValue(ctx, revalidateKey{}, true)
}

func mustRevalidate(ctx context.Context) bool {
	marked, _ := ctx.Value(revalidateKey{}).(bool)
	return marked
}
