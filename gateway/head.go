package gateway

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// limitHead refuses a URL or a header that is too long. The server has a limit
// of its own, above this one, beyond which it does not read on; its answer is
// not a problem in the API's form.
func (a *api) limitHead(c *gin.Context) error {
	switch {
	case len(c.Request.RequestURI) > a.maxURLBytes:
		return errURLTooLong
	case headBytes(c.Request) > a.maxHeaderBytes:
		return errHeaderTooLarge
	}
	return nil
}

// headBytes is the size of the request line and the header as HTTP/1.1 writes
// them.
func headBytes(r *http.Request) int {
	size := len(r.Method) + len(" ") + len(r.RequestURI) + len(" HTTP/1.1\r\n") + len("Host: \r\n") + len(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(": ") + len(value) + len("\r\n")
		}
	}
	return size
}
