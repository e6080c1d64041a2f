package demo

import "strings"

// phonePlan says which numbers the people of a country have.
type phonePlan struct {
	country string // calling code
	ranges  []phoneRange
}

// phoneRange is a block of national numbers: a prefix and the digits that vary.
type phoneRange struct {
	prefix string
	digits int
	first  int // the lowest value of the varying digits
}

// inventedPhones are for countries that set no numbers aside for fiction: the
// block cannot be anybody's, as no such area code or exchange was ever given
// out.
func inventedPhones(country, prefix string, digits int) phonePlan {
	return phonePlan{country: country, ranges: []phoneRange{{prefix: prefix, digits: digits}}}
}

// phoneNumber is a number before it is written down in one way or another.
type phoneNumber struct {
	country  string
	national string
}

func (p phonePlan) pick(d *random) phoneNumber {
	r := p.ranges[d.below(len(p.ranges))]
	size := 1
	for range r.digits {
		size *= 10
	}
	value := r.first + d.below(size-r.first)
	varying := make([]byte, r.digits)
	for i := r.digits - 1; i >= 0; i-- {
		varying[i] = byte('0' + value%10)
		value /= 10
	}
	return phoneNumber{country: p.country, national: r.prefix + string(varying)}
}

// phoneStyles is how many ways of writing written knows.
const phoneStyles = 8

// written is the number as one of eight kinds of people and programs write it.
// All have the same digits, but for the trunk prefixes of style 5.
func (n phoneNumber) written(style int) string {
	switch style {
	case 1:
		return "+" + n.country + n.national
	case 2:
		return "+" + n.country + " " + strings.Join(n.groups(), " ")
	case 3:
		groups := n.groups()
		return "+" + n.country + " (" + groups[0] + ") " + strings.Join(groups[1:], "-")
	case 4:
		return n.country + "-" + strings.Join(n.groups(), "-")
	case 5:
		if n.country == "7" {
			groups := n.groups()
			return "8 (" + groups[0] + ") " + strings.Join(groups[1:], "-")
		}
		return "00" + n.country + " " + n.national
	case 6:
		return "+" + n.country + "." + strings.Join(n.groups(), ".")
	case 7: // as office programs set it: no-break space, no-break hyphen
		return "+" + n.country + "\u00a0" + strings.Join(n.groups(), "\u2011")
	default:
		return n.country + n.national
	}
}

// groups cuts the national number into three digits, three, and pairs.
func (n phoneNumber) groups() []string {
	rest := n.national
	groups := make([]string, 0, 5)
	for len(groups) < 2 && len(rest) > 4 {
		groups, rest = append(groups, rest[:3]), rest[3:]
	}
	for len(rest) > 3 {
		groups, rest = append(groups, rest[:2]), rest[2:]
	}
	return append(groups, rest)
}
