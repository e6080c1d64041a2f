package gateway

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// proxies are trusted in these tests; the peer of the connection is one.
var proxies = []string{"127.0.0.1", "10.0.0.0/8", "2001:db8:ffff::/48", "::ffff:172.16.0.0/108", "fe80::9%eth0"}

// addressIn is the client's address as a request with these lines of the header
// tells it, "" if it cannot be read.
func addressIn(tb testing.TB, header, peer string, lines ...string) string {
	tb.Helper()
	c, err := newClientAddresses(proxies, header)
	if err != nil {
		tb.Fatal(err)
	}
	r := &http.Request{RemoteAddr: peer, Header: http.Header{}}
	for _, line := range lines {
		r.Header.Add(header, line)
	}
	address, ok := c.find(r)
	if !ok {
		return ""
	}
	return address.String()
}

func TestAClientsAddressIsReadInEverySpelling(t *testing.T) {
	for want, spellings := range map[string][]string{
		"203.0.113.7": {
			"203.0.113.7", "203.0.113.7:50001", "203.0.113.7:", `"203.0.113.7"`, `"203.0.113.7:50001"`, "  203.0.113.7\t", "203.0.113.7:_p-1",
			"::ffff:203.0.113.7", "[::ffff:203.0.113.7]:443", "::FFFF:CB00:7107", "::ffff:203.0.113.7:443", "[203.0.113.7]:443",
			",203.0.113.7,", "203.0.113.7, ,\t,", "198.51.100.1, 203.0.113.7:1, 10.1.2.3:2, 127.0.0.1", "unknown, 203.0.113.7",
			"203.0.113.7, 172.16.3.4, [2001:db8:ffff::1]:80", "203.0.113.7, fe80::9%25eth1", `", 203.0.113.7`, `x", 203.0.113.7`, "10.0.0.1, 203.0.113.7",
		},
		"2001:db8::1": {
			"2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443", `"[2001:db8::1]:443"`, `"2001:db8::1"`, `"\[2001:db8::1\]"`, "2001:DB8:0:0:0:0:0:1",
			"2001:db8::1%eth0", "[2001:db8::1%25eth0]:443", "[2001:db8::1%eth0]", "2001:db8:0:0:0:0:0:1:443", "[2001:db8::1]:_p",
		},
		"10.9.9.9":  {"10.9.9.9", "10.9.9.9, 10.1.1.1", ", 10.9.9.9, 10.1.1.1"}, // all are trusted: the leftmost one
		"127.0.0.1": {"", ",", " , ,"},
		"": {
			"unknown", "Unknown", "_hidden", "_SEVKISEK", "garbage", "unix:", "-", "203.0.113.7, unknown", "203.0.113.7, _hidden, 10.0.0.1",
			"203.0.113.256", "203.0.113.7.8", "[2001:db8::1", "2001:db8::1]", "[2001:db8::1]x", "203.0.113.7:http", "203.0.113.7:123456", "203.0.113.7 10.0.0.1",
			"example.org", "example.org:443", `"`, `""`, "[]", "[]:80", ":", ":443", "for=203.0.113.7", "http://203.0.113.7",
		},
	} {
		for _, spelling := range spellings {
			if got := addressIn(t, XForwardedFor, "127.0.0.1:4711", spelling); got != want {
				t.Errorf("%q: %q, want %q", spelling, got, want)
			}
		}
	}
}

func TestForwardedIsReadByItsRFC(t *testing.T) {
	for want, spellings := range map[string][]string{
		"203.0.113.7": {
			"for=203.0.113.7", "For=203.0.113.7", "FOR = 203.0.113.7", `for="203.0.113.7:50001"`, "for=203.0.113.7:50001", `for="203.0.113.7:_p"`,
			"for=203.0.113.7;proto=https;by=10.0.0.1", "proto=https ; for=203.0.113.7", `host="a,b;for=9.9.9.9";for=203.0.113.7`, `for="[::ffff:203.0.113.7]"`,
			`for=203.0.113.7;host="x,for=9.9.9.9"`, `for=203.0.113.7;host="x\",for=9.9.9.9"`, `for=203.0.113.7;host="x\\",for=10.0.0.1`,
			`for=198.51.100.1, for=203.0.113.7, for=10.0.0.1`, `for=203.0.113.7,,for="10.0.0.1:80",`, ";for=203.0.113.7;",
			`for="x, for=203.0.113.7`, `", for=203.0.113.7`, `for="\, for=203.0.113.7`, `for=unknown, for=203.0.113.7`,
		},
		"2001:db8::1": {`for="[2001:db8::1]"`, `for="[2001:db8::1]:4711"`, `for="\[2001:db8::1]:4711";proto=http`, `for=[2001:db8::1]`},
		"127.0.0.1":   {"", ","},
		"": {
			"for=unknown", "for=_hidden", `for="_gazonk"`, "by=203.0.113.7", "proto=https", "203.0.113.7", "for", "for=", ";", `for="`,
			"for=203.0.113.7;for=203.0.113.8", "for=203.0.113.7, for=unknown", `for=203.0.113.7, for=_a, for=10.0.0.1`, "xfor=203.0.113.7",
		},
	} {
		for _, spelling := range spellings {
			if got := addressIn(t, Forwarded, "127.0.0.1:4711", spelling); got != want {
				t.Errorf("%q: %q, want %q", spelling, got, want)
			}
		}
	}
}

func TestSeveralLinesOfTheHeaderAreOneList(t *testing.T) {
	for _, tt := range []struct {
		header string
		lines  []string
		want   string
	}{
		{XForwardedFor, []string{"198.51.100.1", "203.0.113.7"}, "203.0.113.7"}, // a proxy has added a line to the caller's
		{XForwardedFor, []string{"198.51.100.1, 203.0.113.7", "10.0.0.1", ""}, "203.0.113.7"},
		{XForwardedFor, []string{"203.0.113.7", "unknown"}, ""},
		{Forwarded, []string{`for="`, "for=203.0.113.7"}, "203.0.113.7"},
		{Forwarded, []string{"for=203.0.113.7;proto=https", "for=10.0.0.1"}, "203.0.113.7"},
		{XRealIP, []string{"198.51.100.1", "203.0.113.7:80"}, "203.0.113.7"},
		{"x-real-ip", []string{"203.0.113.7"}, "203.0.113.7"},
		{"FORWARDED", []string{"for=203.0.113.7"}, "203.0.113.7"},
	} {
		if got := addressIn(t, tt.header, "127.0.0.1:4711", tt.lines...); got != tt.want {
			t.Errorf("%s %q: %q, want %q", tt.header, tt.lines, got, tt.want)
		}
	}
}

func TestAPeerThatIsNoTrustedProxyIsTheClient(t *testing.T) {
	for peer, want := range map[string]string{
		"203.0.113.9:4711": "203.0.113.9", "[2001:db8::9]:4711": "2001:db8::9", "[::ffff:203.0.113.9]:4711": "203.0.113.9",
		"[fe80::8%eth0]:4711": "fe80::8", "@": "", "": "",
		"[::ffff:10.0.0.1]:4711": "198.51.100.1", "[fe80::9%eth1]:4711": "198.51.100.1", // these are trusted
	} {
		if got := addressIn(t, XForwardedFor, peer, "198.51.100.1"); got != want {
			t.Errorf("%s: %q, want %q", peer, got, want)
		}
	}
}

// spell writes an address in one of the ways that proxies have.
func spell(t *rapid.T, header string, address netip.Addr) string {
	text := address.String()
	if address.Is4() && rapid.Bool().Draw(t, "mapped") {
		text = netip.AddrFrom16(address.As16()).String()
	}
	port := rapid.SampledFrom([]string{"", ":0", ":443", ":65535", ":_p1"}).Draw(t, "port")
	if strings.Contains(text, ":") {
		text += rapid.SampledFrom([]string{"", "%eth0", "%251"}).Draw(t, "zone")
		if port != "" || rapid.Bool().Draw(t, "brackets") {
			text = "[" + text + "]"
		}
	}
	text += port
	if rapid.Bool().Draw(t, "quotes") {
		text = `"` + text + `"`
	}
	if header == Forwarded {
		text = rapid.SampledFrom([]string{"for=", "For=", "proto=https;for=", `host="a\",b;for=9.9.9.9" ; FOR=`}).Draw(t, "name") + text +
			rapid.SampledFrom([]string{"", ";proto=http", `;by="[2001:db8::5]:80"`, `;host="for=9.9.9.9,for=9.9.9.8;\\"`}).Draw(t, "more")
	}
	pad := rapid.SampledFrom([]string{"", " ", "\t", " , "})
	return pad.Draw(t, "before") + text + pad.Draw(t, "after")
}

// outside draws an address that is no trusted proxy's.
func outside(t *rapid.T, trusted clientAddresses) netip.Addr {
	var address netip.Addr
	if rapid.Bool().Draw(t, "IPv4") {
		address = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address")))
	} else {
		address = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address"))).Unmap()
	}
	if trusted.trusts(address) {
		t.Skip("trusted")
	}
	return address
}

func TestWhateverAClientSendsItsAddressIsTheOneThatItsProxySaw(t *testing.T) {
	trusted := rapid.SampledFrom([]string{"10.1.2.3", "127.0.0.1", "172.16.0.1", "2001:db8:ffff:1::2"})
	rapid.Check(t, func(t *rapid.T) {
		header := rapid.SampledFrom([]string{XForwardedFor, Forwarded, XRealIP}).Draw(t, "header")
		c, err := newClientAddresses(proxies, header)
		if err != nil {
			t.Fatal(err)
		}
		client := outside(t, c)
		// The client's own lines, then what each proxy on the way adds: to the
		// last line, or a line of its own.
		lines := rapid.SliceOfN(rapid.StringMatching(`[ -~\t]{0,40}|(for=)?"?1.2.3.4"?[,;"\\ ]*`), 1, 3).Draw(t, "spoofed")
		hops := []netip.Addr{client}
		for range rapid.IntRange(0, 4).Draw(t, "proxies") {
			hops = append(hops, netip.MustParseAddr(trusted.Draw(t, "proxy")))
		}
		for _, hop := range hops {
			if member := spell(t, header, hop); rapid.Bool().Draw(t, "new line") {
				lines = append(lines, member)
			} else {
				lines[len(lines)-1] += "," + member
			}
		}
		r := &http.Request{RemoteAddr: "127.0.0.1:4711", Header: http.Header{http.CanonicalHeaderKey(header): lines}}
		if got, ok := c.find(r); !ok || got != client {
			t.Fatalf("%q: %s %v, want %s", lines, got, ok, client)
		}
	})
}

// FuzzForwarded holds the rule that matters against any bytes: an address that a
// trusted proxy has appended is the client's, whatever stands before it, and no
// address comes from anywhere but the header and the connection.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{"", "203.0.113.7:50001", `for="[2001:db8::1]:4711";proto=https, for=10.0.0.1`, `"`, `for="\`, "unknown, 10.0.0.1", "fe80::1%eth0", "[::1]:_p", `""\"",;=`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for header, member := range map[string]string{XForwardedFor: "203.0.113.7:1", Forwarded: `for="203.0.113.7:1"`, XRealIP: "203.0.113.7"} {
			for _, lines := range [][]string{{text + "," + member}, {text, member}} {
				if got := addressIn(t, header, "127.0.0.1:1", lines...); got != "203.0.113.7" {
					t.Errorf("%s %q: %q", header, lines, got)
				}
			}
			if got := addressIn(t, header, "198.51.100.1:1", text); got != "198.51.100.1" {
				t.Errorf("%s %q of a peer that is not trusted: %q", header, text, got)
			}
			addressIn(t, header, "127.0.0.1:1", text)
		}
		if address, ok := parseNode(text); ok {
			if again, ok := parseNode(address.String()); !ok || again != address || address.Is4In6() || address.Zone() != "" {
				t.Errorf("%q: %s, which is read as %s", text, address, again)
			}
		}
	})
}
