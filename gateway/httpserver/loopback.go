package httpserver

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// LoopbackHosts passes on requests whose Host names this machine's loopback
// interface, or that have no Host, and answers others with 421 (RFC 9110, section
// 15.5.20). It protects handlers without authentication on loopback addresses from
// DNS rebinding: a web page can resolve its own name to 127.0.0.1 and read the answers
// as its own, but the browser sends that name as Host.
//
// A request without a Host is HTTP/1.0, which no browser sends.
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
		// The error means that the caller has gone.
		_ = json.NewEncoder(w).Encode(map[string]any{
			"type": "about:blank", "title": http.StatusText(http.StatusMisdirectedRequest), "status": http.StatusMisdirectedRequest,
			"detail": detail, "error": detail,
		})
	})
}

// isLoopbackName reports whether a Host, with or without a port, is localhost, a
// name below it (RFC 6761, section 6.3), or a loopback address without a zone. A zone
// may be any text, also a foreign name.
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

// IsLoopback reports whether only this machine can reach the listener.
func IsLoopback(l net.Listener) bool {
	address, ok := l.Addr().(*net.TCPAddr)
	return ok && address.IP.IsLoopback()
}
