package gateway

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"github.com/gin-gonic/gin"
)

// readJSON reads a body that is plain JSON, or none at all.
func (a *api) readJSON(c *gin.Context) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, a.maxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		leaveBody(c)
		return nil, errBodyTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		leaveBody(c)
		return nil, errBodyTooSlow
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errBodyUnreadable, err)
	case len(body) > 0 && !saysJSON(c.Request.Header):
		return nil, errContentType
	}
	return body, nil
}

// leaveBody ends the connection with the answer. Otherwise the server would
// read on, for as long as a slow sender takes, before it answers.
func leaveBody(c *gin.Context) {
	if c.Request.ProtoMajor == 1 { // in HTTP/2 it would end other requests' too
		c.Header("Connection", "close")
	}
}

func saysJSON(h http.Header) bool {
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return false
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	coding := h.Get("Content-Encoding")
	return coding == "" || strings.EqualFold(coding, "identity")
}
