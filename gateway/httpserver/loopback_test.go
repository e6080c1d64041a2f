package httpserver

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestALoopbackListenerAnswersForLoopbackNamesOnly.
func TestALoopbackListenerAnswersForLoopbackNamesOnly(t *testing.T) {
	handler := LoopbackHosts(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for status, hosts := range map[int][]string{
		http.StatusNoContent: {
			"localhost", "localhost:9090", "LocalHost:1", "localhost.", "app.localhost", "a.b.localhost:8080", "127.0.0.1", "127.0.0.1:9090",
			"127.255.3.4:80", "[::1]", "[::1]:9090", "[::ffff:127.0.0.1]:9090", "",
		},
		http.StatusMisdirectedRequest: {
			"evil.example", "evil.example:9090", "localhost.evil.example", "127.0.0.1.evil.example", "evillocalhost", "localhost:evil.example",
			"10.0.0.1", "192.168.1.7:9090", "0.0.0.0:9090", "[::]:9090", "[::ffff:10.0.0.1]", "[2001:db8::1]:9090", "2130706433", "0x7f.1", "[::1", "[localhost",
			".", ":9090",
		},
	} {
		for _, host := range hosts {
			r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
			r.Host = host
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != status {
				t.Errorf("%q is answered %d, want %d", host, w.Code, status)
			}
			if status == http.StatusMisdirectedRequest && w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%q: %s", host, w.Header())
			}
		}
	}
}

func FuzzAHostThatIsTakenForALoopbackNameEndsInOne(f *testing.F) {
	for _, host := range []string{"localhost", "a.localhost:80", "127.0.0.1:1", "[::1]:1", "evil.example", "[::1%25lo]"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if !isLoopbackName(host) {
			return
		}
		for _, outside := range []string{host + ".evil.example", "evil.example/" + host + "x"} {
			if isLoopbackName(outside) {
				t.Errorf("%q is taken, as %q is", outside, host)
			}
		}
	})
}

// listenerAt is a listener that has an address and nothing else.
type listenerAt struct {
	net.Listener

	address net.Addr
}

func (l listenerAt) Addr() net.Addr { return l.address }

// TestAListenerThatOtherMachinesReachIsNotOnLoopback: probes of pods ask it by
// the pod's address.
func TestAListenerThatOtherMachinesReachIsNotOnLoopback(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1": true, "127.1.2.3": true, "::1": true, "0.0.0.0": false, "::": false, "10.0.0.7": false, "2001:db8::1": false,
	} {
		if got := IsLoopback(listenerAt{address: &net.TCPAddr{IP: net.ParseIP(text), Port: 9090}}); got != want {
			t.Errorf("%s: %t, want %t", text, got, want)
		}
	}
	if IsLoopback(listenerAt{address: &net.UnixAddr{Name: "socket"}}) {
		t.Error("a socket has hosts")
	}
}
