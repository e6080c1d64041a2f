package httpserver

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// LoopbackHosts hands on requests whose Host is a name of this machine's
// loopback interface, or none, and answers others with 421 (RFC 9110, section
// 15.5.20). It is for handlers without authentication on loopback addresses: a
// web page can let a name of its own lead to 127.0.0.1 (DNS rebinding), and would
// read there as what is its own; its browser then sends that name.
//
// A request without a Host is one of HTTP/1.0, which no browser sends.
func LoopbackHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "" || isLoopbackName(r.Host) {
			next.ServeHTTP(w, r)
			return
		}
		const detail = "This listener answers for localhost only. Ask for http://localhost or a loopback address with its port; a proxy in between has to send such a Host."
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusMisdirectedRequest)
		// A caller that is gone is no concern of ours.
		_ = json.NewEncoder(w).Encode(map[string]any{
			"type": "about:blank", "title": http.StatusText(http.StatusMisdirectedRequest), "status": http.StatusMisdirectedRequest,
			"detail": detail, "error": detail,
		})
	})
}

// isLoopbackName reports whether a Host, with or without a port, is localhost, a
// name below it (RFC 6761, section 6.3), or a loopback address. One with a zone is
// none: a zone takes any text, a foreign name too.
func isLoopbackName(host string) bool {
	name := host
	if before, port, err := net.SplitHostPort(host); err == nil {
		if strings.Trim(port, "0123456789") != "" {
			return false
		}
		name = before
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		if name, ok = strings.CutSuffix(inner, "]"); !ok {
			return false
		}
	}
	if address, err := netip.ParseAddr(name); err == nil {
		return address.Zone() == "" && address.Unmap().IsLoopback()
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// IsLoopback reports whether a listener is reached from its own machine only.
func IsLoopback(l net.Listener) bool {
	address, ok := l.Addr().(*net.TCPAddr)
	return ok && address.IP.IsLoopback()
}
