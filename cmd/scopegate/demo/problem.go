package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxBody is far above what any call of the identity provider needs.
const maxBody = 16 << 10

// problem is an error with the status that it is answered with.
type problem struct {
	status int
	detail string
}

func (p *problem) Error() string { return p.detail }

var (
	errCredentials  = &problem{http.StatusUnauthorized, "Wrong e-mail or password. GET /dev/accounts lists them."}
	errTooMany      = &problem{http.StatusTooManyRequests, "Too many wrong passwords for this account. Try again in a few seconds."}
	errRefreshToken = &problem{http.StatusUnauthorized, "The refresh token is unknown, used or expired. Log in again."}
	errOldToken     = &problem{
		http.StatusUnauthorized,
		"Send the token to be renewed, which may have expired, as it is in Authorization; it must be of the account of the refresh token.",
	}
	errOtherOrigin    = &problem{http.StatusForbidden, "Pages of other origins may not send this."}
	errForeignCompany = &problem{http.StatusForbidden, "The account may not see this company."}
)

func badRequest(format string, args ...any) error {
	return &problem{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// endpoint is a handler whose errors are answered in one place.
type endpoint func(w http.ResponseWriter, r *http.Request) error

func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	err := e(w, r)
	if err == nil {
		return
	}
	var p *problem
	if !errors.As(err, &p) {
		p = &problem{http.StatusInternalServerError, "The identity provider failed."}
	}
	if p.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "5")
	}
	// Nothing is left to tell when the client has gone.
	_ = writeJSON(w, p.status, "application/problem+json", map[string]any{
		"type": "about:blank", "title": http.StatusText(p.status), "status": p.status,
		"detail": p.detail, "error": p.detail,
	})
}

func writeJSON(w http.ResponseWriter, status int, contentType string, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, err = w.Write(append(body, '\n'))
	return err
}

// readJSON decodes the body. Members that it does not know are ignored, as
// identity providers do: clients send some of their own.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	if err := decoder.Decode(into); err != nil {
		return badRequest("The body is not the JSON that is expected: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return badRequest("The body has more than one JSON value.")
	}
	return nil
}
