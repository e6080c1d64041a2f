package demo

import (
	"net/http"
	"strings"
)

// ownPages refuses requests of web pages of other origins, unless they only
// read: any page that is open in a browser on this machine can send a form here,
// and rotate the keys, say. What it reads its browser keeps from it.
func ownPages(next http.Handler) http.Handler {
	refuse := endpoint(func(http.ResponseWriter, *http.Request) error { return errOtherOrigin })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
		if !reads && ofOtherOrigin(r) {
			refuse.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ofOtherOrigin goes by what browsers tell of the page that sends a request: the
// header Sec-Fetch-Site (Fetch Metadata, section 2.3), and Origin (RFC 6454,
// section 7). Programs send neither.
func ofOtherOrigin(r *http.Request) bool {
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return true
		}
	}
	for _, origin := range r.Header.Values("Origin") {
		if !strings.EqualFold(origin, "http://"+r.Host) {
			return true
		}
	}
	return false
}
