package elastic

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/scopegate/scopegate/session"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// cursor reads what an answer has around its documents by finding where values
// end, in one pass, as search.IsWireForm does: a decoder would look at every byte of the
// documents and copy it, which takes longer than all else that is done with a
// row.
type cursor struct {
	rest   []byte
	broken bool // the text is not what it should be
	inHit  bool // it is so in a hit or right behind one
	// odd: some document may hold characters that no UTF-8 has.
	odd bool
}

// openedHit is a session as it was found: parts of the answer's text.
type openedHit struct {
	company      int64
	source, sort jsontext.Value
	inWireForm   bool // the source is known to be
}

// readAnswer reads an answer of a search and hands out its hits.
func readAnswer(body []byte, each func(openedHit) error) (head answer, err error) {
	c := &cursor{rest: body, odd: isOdd(body)}
	found := false
	c.object(func(name string) {
		switch name {
		case "took":
			c.decode(&head.Took)
		case "timed_out":
			c.decode(&head.TimedOut)
		case "pit_id":
			c.decode(&head.PIT)
		case "_shards":
			c.decode(&head.Shards)
		case "hits":
			c.object(func(name string) {
				switch name {
				case "total":
					c.decode(&head.Hits.Total)
				case "hits":
					found = true
					c.list(func() {
						if h := c.hit(); err == nil && !c.broken {
							err = each(h)
						}
					})
					c.inHit = c.broken
				default:
					c.value()
				}
			})
		default:
			c.value()
		}
	})
	if c.space(); err == nil && (c.broken || !found || len(c.rest) > 0) {
		err = errAnswer
		if c.inHit {
			err = errStored
		}
	}
	return head, err
}

// isOdd looks for bytes that are no UTF-8, and escapes of halves of characters,
// whole ones of which it takes for such too.
func isOdd(body []byte) bool {
	return !utf8.Valid(body) || bytes.Contains(body, []byte(`\ud`)) || bytes.Contains(body, []byte(`\uD`))
}

// readRows reads the answer of a search for rows. Nothing of it stands in the
// body: a page may be kept for long, and the body is that of the next answer.
func readRows(body []byte) (answer, error) {
	var hits []hit
	head, err := readAnswer(body, func(h openedHit) error {
		sort := &cursor{rest: h.sort}
		hits = append(hits, hit{Source: h.source.Clone(), Sort: sort.values(), company: h.company, inWireForm: h.inWireForm})
		if sort.broken {
			return errAnswer
		}
		return nil
	})
	head.Hits.Hits = hits
	return head, err
}

func (c *cursor) hit() (h openedHit) {
	c.object(func(name string) {
		switch name {
		case "_source":
			h.source, h.inWireForm = c.document()
		case "sort":
			h.sort = c.value()
		case "fields":
			h.company = c.company()
		default:
			c.value()
		}
	})
	c.broken = c.broken || h.company < 1 || h.source == nil || h.sort == nil
	return h
}

// company is a list of one number among the fields.
func (c *cursor) company() (id int64) {
	c.object(func(name string) {
		if name != "companyId" {
			c.value()
			return
		}
		n := 0
		c.list(func() {
			var err error
			id, err = strconv.ParseInt(string(c.value()), 10, 64)
			n++
			c.broken = c.broken || err != nil || n > 1
		})
	})
	return id
}

// document is value for a text that is most often in wire form.
func (c *cursor) document() (source []byte, inWireForm bool) {
	if n := session.WireFormLength(c.rest); n > 0 && !c.odd {
		return c.take(n), true
	}
	return c.value(), false
}

// values are the elements of a list, copied.
func (c *cursor) values() (all []jsontext.Value) {
	c.list(func() { all = append(all, jsontext.Value(c.value()).Clone()) })
	return all
}

func (c *cursor) decode(into any) {
	value := c.value()
	c.broken = c.broken || json.Unmarshal(value, into, jsontext.AllowDuplicateNames(true)) != nil
}

// object goes through the members; f goes past the value of each.
func (c *cursor) object(f func(name string)) {
	c.each('{', '}', func() {
		name := c.value()
		c.space()
		if len(name) < 2 || name[0] != '"' || !c.skip(':') {
			c.broken = true
			return
		}
		c.space()
		f(string(name[1 : len(name)-1]))
	})
}

// list goes through the elements; f goes past each.
func (c *cursor) list(f func()) { c.each('[', ']', f) }

func (c *cursor) each(open, end byte, f func()) {
	if c.space(); !c.skip(open) {
		c.broken = true
		return
	}
	if c.space(); c.skip(end) {
		return
	}
	for !c.broken {
		c.space()
		f()
		c.space()
		switch {
		case c.skip(','):
		case c.skip(end):
			return
		default:
			c.broken = true
		}
	}
}

// value goes past the value that begins here.
func (c *cursor) value() []byte {
	n := 0
	switch {
	case c.broken || len(c.rest) == 0:
	case c.rest[0] == '"' || c.rest[0] == '{' || c.rest[0] == '[':
		n = session.ValueLength(c.rest)
	default:
		for n < len(c.rest) && !endsWord(c.rest[n]) {
			n++
		}
	}
	c.broken = c.broken || n == 0
	return c.take(n)
}

func endsWord(b byte) bool {
	switch b {
	case ',', '}', ']', ':', ' ', '\t', '\r', '\n':
		return true
	}
	return false
}

func (c *cursor) take(n int) []byte {
	taken := c.rest[:n:n]
	c.rest = c.rest[n:]
	return taken
}

func (c *cursor) skip(b byte) bool {
	if c.broken || len(c.rest) == 0 || c.rest[0] != b {
		return false
	}
	c.rest = c.rest[1:]
	return true
}

func (c *cursor) space() {
	for len(c.rest) > 0 && (c.rest[0] == ' ' || c.rest[0] == '\n' || c.rest[0] == '\r' || c.rest[0] == '\t') {
		c.rest = c.rest[1:]
	}
}
