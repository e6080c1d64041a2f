package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/scopegate/scopegate/gateway/httpserver"
)

// readJSON reads the body of a request; nil if it is empty. The body must be JSON
// in UTF-8, without a content coding.
func (a *api) readJSON(c *gin.Context) ([]byte, error) {
	bytes, err := a.hold(c, bodyBytes(c.Request, a.maxBodyBytes))
	if err != nil {
		httpserver.AbandonBody(unwrapped(c.Writer), c.Request)
		return nil, err
	}
	defer bytes.Release()
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, a.maxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		httpserver.AbandonBody(unwrapped(c.Writer), c.Request)
		return nil, errBodyTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		httpserver.AbandonBody(unwrapped(c.Writer), c.Request)
		return nil, errBodyTooSlow
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errBodyUnreadable, err)
	case len(body) == 0:
		return nil, nil
	}
	return body, checkContent(c.Request.Header)
}

// bodyBytes returns the largest number of bytes that is read of the body.
func bodyBytes(r *http.Request, limit int64) int64 {
	if r.ContentLength < 0 || r.ContentLength > limit {
		return limit
	}
	return r.ContentLength
}

// refuseBody refuses a body where the method gives it no meaning (RFC 9110,
// sections 9.3.1, 9.3.2 and 9.3.7). Content-Length: 0 means that there is no body.
func refuseBody(c *gin.Context) error {
	switch c.Request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		if c.Request.ContentLength != 0 {
			httpserver.AbandonBody(unwrapped(c.Writer), c.Request)
			return errBodyNotTaken
		}
	}
	return nil
}

// checkContent refuses a body that is not plain JSON in UTF-8. Its errors are
// errContentType.
func checkContent(h http.Header) error {
	coding := h.Get("Content-Encoding")
	if coding != "" && !strings.EqualFold(coding, "identity") {
		return errContentType
	}
	media, charsets := mediaType(h.Get("Content-Type"))
	if !strings.EqualFold(media, "application/json") {
		return errContentType
	}
	for _, charset := range charsets {
		if !isUTF8(charset) {
			return &charsetError{charset}
		}
	}
	return nil
}

// mediaType reads a Content-Type (RFC 9110, section 8.3.1): the type, and the values
// of all parameters named charset. Other parameters, also empty ones, have no
// meaning for JSON (RFC 8259, section 11).
func mediaType(text string) (media string, charsets []string) {
	for {
		var part string
		text, part = cutLastUnquoted(text, ';')
		if text == "" {
			return strings.Trim(part, " \t"), charsets
		}
		if name, value, _ := strings.Cut(part, "="); strings.EqualFold(strings.Trim(name, " \t"), "charset") {
			charsets = append(charsets, unquote(strings.Trim(value, " \t")))
		}
	}
}

// isUTF8 reports whether the charset is UTF-8: its name (RFC 3629), or one of the
// misspellings that programs send.
func isUTF8(charset string) bool {
	return strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8") || strings.EqualFold(charset, "utf_8")
}

// charsetError is the error for a body whose Content-Type names another charset
// than UTF-8.
type charsetError struct{ charset string }

func (*charsetError) Error() string { return "charset is not UTF-8" }

// Is makes it an errContentType.
func (*charsetError) Is(target error) bool { return target == errContentType }

// detail is the text for the caller, with the charset's name cut to 40 bytes.
func (e *charsetError) detail() string {
	const longest = 40
	name := e.charset[:min(len(e.charset), longest)]
	return "The body's charset " + strconv.QuoteToASCII(name) + " is not supported. " +
		"JSON is UTF-8: send it so, with \"Content-Type: application/json\"."
}
