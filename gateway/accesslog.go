package gateway

import (
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"
)

// accessLog writes one line for each request: its route, status, duration and
// company. The URL, the subject, addresses and User-Agent stay out: each may hold,
// or be, personal data.
func (a *api) accessLog(c *gin.Context) {
	state := stateFrom(c)
	defer func() {
		ctx, status := c.Request.Context(), c.Writer.Status()
		level := slog.LevelInfo
		if status >= 500 {
			level = slog.LevelError
		}
		if !a.logger.Enabled(ctx, level) {
			return
		}
		attrs := append(make([]slog.Attr, 0, 8),
			slog.String("request_id", state.requestID),
			slog.String("method", methodName(c.Request)),
			slog.String("route", routeTemplate(c)),
			slog.Int("status", status),
			slog.Float64("duration_ms", milliseconds(time.Since(state.started))),
			slog.Int("bytes", max(c.Writer.Size(), 0)))
		if company := state.principal.Company(); company.Valid() {
			attrs = append(attrs, slog.Uint64("company", uint64(company)))
		}
		if state.failure != "" {
			attrs = append(attrs, slog.String("error", state.failure))
		}
		attrs = append(attrs, state.refusal.logged()...)
		// Logger.LogAttrs would look up its caller, which costs a good part of what
		// an answer from memory takes.
		line := slog.NewRecord(time.Now(), level, "request", 0)
		line.AddAttrs(attrs...)
		_ = a.logger.Handler().Handle(ctx, line) // the Logger ignores this error too
	}()
	c.Next()
}
