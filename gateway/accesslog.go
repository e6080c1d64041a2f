package gateway

import (
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"
)

// accessLog writes one line a request: which route, how it ended, how long it
// took and for which company. The URL, the subject, addresses and User-Agent
// stay out: each may hold, or be, personal data.
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
			slog.String("method", methodOf(c.Request)),
			slog.String("route", routeOf(c)),
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
		// Not Logger.LogAttrs, which looks up who called it: a hit in memory
		// takes but a few times as long.
		line := slog.NewRecord(time.Now(), level, "request", 0)
		line.AddAttrs(attrs...)
		_ = a.logger.Handler().Handle(ctx, line) // as the Logger does
	}()
	c.Next()
}
