package demo

import (
	"fmt"

	"golang.org/x/text/unicode/norm"
)

// client is who a session was held with. A client of a company comes back in
// several sessions and is the same each time.
type client struct {
	id         string // "": the session has no client
	externalID string
	name       string
	locale     *locale
	place      place // where it writes from
	messenger  string
	phone      string
	telegramID string
	deviceID   string
	ip         string
	userAgent  string
	banned     tri
}

// newClient makes the client from the random source, which the caller has seeded for it.
func (g *Generator) newClient(d *random, home *company) client {
	c := client{id: d.hex(), locale: home.locale, place: home.place, messenger: pick(d, g.messengers)}
	if d.happens(25) {
		other := &g.tree[1+d.below(len(g.tree)-1)]
		c.locale, c.place = other.locale, other.place
	}
	c.name = clientName(d, c.locale)
	if d.happens(40) {
		c.externalID = "crm-" + d.digits(7)
	}
	c.ip = documentationAddress(d)
	c.userAgent = pick(d, g.userAgents)
	c.banned = d.flag(3, 15)
	g.reachBy(d, &c)
	return c
}

// reachBy gives the client what its messenger knows it by.
func (g *Generator) reachBy(d *random, c *client) {
	number := c.locale.phone.pick(d)
	style := 0
	if d.happens(45) { // gateways deliver digits only; people and old systems don't
		style = d.below(phoneStyles)
	}
	telegram := d.digits(9 + d.below(2))
	switch c.messenger {
	case "WHATSAPP":
		c.phone = number.written(style)
	case "TELEGRAM":
		c.telegramID = telegram
	case "VIBER", "SMS":
		if d.happens(70) {
			c.phone = number.written(style)
		}
	case "WEB", "API":
		c.deviceID = "dev-" + d.hex()[:12]
		fallthrough
	default:
		if d.happens(15) {
			c.phone = number.written(style)
		}
		if d.happens(8) {
			c.telegramID = telegram
		}
	}
}

func clientName(d *random, l *locale) string {
	roll := d.below(100)
	if roll < 2 {
		return ""
	}
	if roll < 6 {
		return fmt.Sprintf("%s %d", pick(d, nicknames()), d.between(1, 99))
	}
	name := l.fullName(pick(d, l.givenNames), pick(d, l.familyNames))
	if l.decomposable && d.happens(12) {
		return norm.NFD.String(name)
	}
	return name
}

// documentationAddress is an address that nobody has (RFC 5737, RFC 3849).
func documentationAddress(d *random) string {
	if d.happens(15) {
		return fmt.Sprintf("2001:db8::%x:%x", d.below(1<<16), d.between(1, 1<<16-1))
	}
	networks := []string{"192.0.2", "198.51.100", "203.0.113"}
	return fmt.Sprintf("%s.%d", pick(d, networks), d.between(1, 254))
}

// messengerWeights spreads the contract's messenger types as a contact centre
// sees them: all of them occur, a few carry most of the load.
func messengerWeights() map[string]int {
	return map[string]int{
		"WEB": 25, "WHATSAPP": 22, "TELEGRAM": 18, "VIBER": 6, "FACEBOOK": 5, "INSTAGRAM": 6, "VKONTAKTE": 5,
		"ODNOKLASSNIKI": 2, "AVITO": 2, "ALICE": 1, "EMAIL": 4, "SMS": 2, "API": 1, "OTHER": 1,
	}
}

func userAgents() []string {
	return []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/141.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Safari/604.1",
		"Mozilla/5.0 (Linux; Android 15) Chrome/138.0 Mobile",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15",
	}
}
