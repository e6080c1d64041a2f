package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Values of Options.ForwardedHeader.
const (
	XForwardedFor = "X-Forwarded-For" // a list of addresses; each proxy appends its peer's
	Forwarded     = "Forwarded"       // RFC 7239
	XRealIP       = "X-Real-IP"       // one address
)

// clientAddresses finds the address of a request's client.
type clientAddresses struct {
	trusted []netip.Prefix
	header  string // canonical
}

// newClientAddresses takes the addresses and CIDR ranges of trusted proxies, and the
// header that they write; "" is X-Forwarded-For. Its error names every fault.
func newClientAddresses(proxies []string, header string) (clientAddresses, error) {
	c := clientAddresses{header: http.CanonicalHeaderKey(cmp.Or(header, XForwardedFor))}
	var faults []error
	if !slices.ContainsFunc([]string{XForwardedFor, Forwarded, XRealIP}, func(known string) bool { return strings.EqualFold(known, c.header) }) {
		faults = append(faults, fmt.Errorf("the forwarded header must be %s, %s or %s", XForwardedFor, Forwarded, XRealIP))
	}
	for _, text := range proxies {
		network, err := parseNetwork(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("trusted proxies: %q is neither an address nor a CIDR range", text))
		}
		c.trusted = append(c.trusted, network)
	}
	return c, errors.Join(faults...)
}

// parseNetwork reads an address or a CIDR range. An IPv4 range that is written
// as a mapped IPv6 one is the IPv4 range.
func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		address = address.Unmap().WithZone("")
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err == nil && network.Addr().Is4In6() && network.Bits() >= 96 {
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-96)
	}
	return network, err
}

// find returns the address of the client that sent the request. It is the peer of
// the connection, unless the peer is a trusted proxy. Then it is the rightmost
// address in the forwarding header that is not a trusted proxy's, or the leftmost
// one if all are. What is left of it was written by the client, and is never read.
// It returns false if a trusted proxy has written something that is not an address.
func (c clientAddresses) find(r *http.Request) (netip.Addr, bool) {
	address, ok := parseNode(r.RemoteAddr)
	// Lines of one header are one list (RFC 9110, section 5.3).
	for _, line := range slices.Backward(r.Header[c.header]) {
		for line != "" && ok && c.trusts(address) {
			var member string
			if line, member = c.cutLast(line); member != "" { // empty ones do not count: RFC 9110, section 5.6.1
				address, ok = c.read(member)
			}
		}
	}
	return address, ok
}

func (c clientAddresses) trusts(address netip.Addr) bool {
	return slices.ContainsFunc(c.trusted, func(network netip.Prefix) bool { return network.Contains(address) })
}

// cutLast cuts the last member off a list. Only in Forwarded may a quoted member
// hold a comma. In other headers quotes have no meaning: otherwise a client could
// open one, and so join its text to the member that a proxy appends.
func (c clientAddresses) cutLast(list string) (before, member string) {
	if c.header == Forwarded {
		before, member = cutLastUnquoted(list, ',')
	} else if i := strings.LastIndexByte(list, ','); i >= 0 {
		before, member = list[:i], list[i+1:]
	} else {
		member = list
	}
	return before, strings.Trim(member, " \t")
}

// read reads the address in a member of the list.
func (c clientAddresses) read(member string) (netip.Addr, bool) {
	if c.header != Forwarded {
		return parseNode(member)
	}
	node, ok := forwardedFor(member)
	if !ok {
		return netip.Addr{}, false
	}
	return parseNode(node)
}

// forwardedFor returns the parameter "for" of one element of Forwarded. It returns
// false if there is no such parameter, or more than one.
func forwardedFor(element string) (node string, ok bool) {
	for element != "" {
		var pair string
		element, pair = cutLastUnquoted(element, ';')
		name, value, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(strings.Trim(name, " \t"), "for") {
			continue
		}
		if ok {
			return "", false
		}
		node, ok = strings.Trim(value, " \t"), true
	}
	return node, ok
}

// cutLastUnquoted cuts the text at the last separator that is not in a quoted
// string (RFC 9110, section 5.6.4). It reads from the right, where a proxy appends:
// unmatched quotes further left do not change the result.
func cutLastUnquoted(text string, separator byte) (before, last string) {
	quoted := false
	for i := len(text) - 1; i >= 0; i-- {
		switch c := text[i]; {
		case c == '"' && (!quoted || !escaped(text[:i])):
			quoted = !quoted
		case c == separator && !quoted:
			return text[:i], text[i+1:]
		}
	}
	return "", text
}

// escaped reports whether the character after the text is escaped: the text ends
// with an odd number of backslashes.
func escaped(before string) bool {
	return (len(before)-len(strings.TrimRight(before, `\`)))%2 == 1
}

// unquote removes the quotes of a quoted string, and all backslashes in it. Names of
// addresses and charsets contain neither.
func unquote(text string) string {
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		return strings.ReplaceAll(text[1:len(text)-1], `\`, "")
	}
	return text
}

// parseNode reads an address as Go, RFC 7239 (section 6) and proxies in
// X-Forwarded-For write it: with or without quotes, with or without a port (Azure
// Application Gateway writes one) and a zone, IPv6 with or without brackets, IPv4
// also mapped to IPv6. It returns false for "unknown", "_hidden" and "unix:".
func parseNode(text string) (netip.Addr, bool) {
	text = unquote(text)
	if inner, bracketed := strings.CutPrefix(text, "["); bracketed {
		host, port, closed := strings.Cut(inner, "]")
		if !closed || port != "" && !isPort(port) {
			return netip.Addr{}, false
		}
		return parseHost(host)
	}
	// This comes before the look for a port: the end of an IPv6 address without
	// brackets looks like a port.
	if address, ok := parseHost(text); ok {
		return address, true
	}
	if i := strings.LastIndexByte(text, ':'); i >= 0 && isPort(text[i:]) {
		return parseHost(text[:i])
	}
	return netip.Addr{}, false
}

// parseHost reads an address without a port. A zone is left out: it names an
// interface of the proxy.
func parseHost(text string) (netip.Addr, bool) {
	text, _, _ = strings.Cut(text, "%")
	address, err := netip.ParseAddr(text)
	return address.Unmap(), err == nil
}

// isPort reports whether the text is ":" and a port: digits, or a name that begins
// with "_" and hides them (RFC 7239, section 6).
func isPort(text string) bool {
	port, ok := strings.CutPrefix(text, ":")
	return ok && (strings.HasPrefix(port, "_") || len(port) <= 5 && strings.Trim(port, "0123456789") == "")
}
