package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/gin-gonic/gin"
)

// recoverPanic answers a panic with a 500. It is used twice: within the telemetry,
// which then reads the status of the answer, and around the telemetry.
//
// Gin's own recovery is not used: it swallows http.ErrAbortHandler, so that a
// transfer broken off on purpose would end as if it were complete, and it logs the
// request line.
func (a *api) recoverPanic(c *gin.Context) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			if !c.Writer.Written() {
				c.Status(http.StatusInternalServerError) // for the telemetry: nothing is sent
			}
			panic(http.ErrAbortHandler)
		}
		a.logger.LogAttrs(c.Request.Context(), slog.LevelError, "panic",
			slog.String("request_id", stateFrom(c).requestID),
			slog.String("route", routeTemplate(c)),
			slog.String("cause", panicText(cause)),
			slog.String("stack", string(debug.Stack())))
		if c.Writer.Written() {
			// Part of the answer was sent. Only a broken transfer shows the caller
			// that it is incomplete.
			panic(http.ErrAbortHandler)
		}
		a.fail(c, errPanic)
		c.Abort()
	}()
	c.Next()
}

// panicText returns the cause of a panic for the log. The text of runtime errors is
// about the program only. Other values may hold personal data: just their type is
// logged.
func panicText(cause any) string {
	if err, ok := cause.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", cause)
}
