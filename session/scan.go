package session

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// scanner walks over one level of a JSON object or array and hands out what is
// in it as slices of the text. It checks no more than it needs to find the
// values' ends, which makes it several times faster than a tokenizer: for text
// that has been validated, or came out of a store that holds nothing else.
// Whatever the text, it ends, and stays within it.
type scanner struct {
	text []byte
	at   int
	// started: the opening bracket has been read.
	started bool
	// broken: the text is no JSON object or array.
	broken bool

	name  []byte // of the member found last, unquoted
	value []byte // found last, without white space around it
}

// member steps to the object's next member. It returns false behind the last
// one, and when broken.
func (s *scanner) member() bool {
	if !s.step('{', '}') {
		return false
	}
	name := s.scalarOrTree()
	if len(name) < 2 || name[0] != '"' {
		return s.fail()
	}
	s.name = name[1 : len(name)-1]
	if bytes.IndexByte(s.name, '\\') >= 0 {
		unquoted, err := jsontext.AppendUnquote(nil, name)
		if err != nil {
			return s.fail()
		}
		s.name = unquoted
	}
	s.space()
	if s.peek() != ':' {
		return s.fail()
	}
	s.at++
	s.space()
	s.value = s.scalarOrTree()
	return len(s.value) > 0 || s.fail()
}

// element steps to the array's next element, as member does.
func (s *scanner) element() bool {
	if !s.step('[', ']') {
		return false
	}
	s.value = s.scalarOrTree()
	return len(s.value) > 0 || s.fail()
}

// step goes past the opening bracket or the comma before a value, or past the
// closing bracket, and then returns false.
func (s *scanner) step(open, end byte) bool {
	if s.broken {
		return false
	}
	s.space()
	c := s.peek()
	switch {
	case !s.started && c == open:
		s.started = true
		s.at++
		s.space()
		if s.peek() == end {
			s.at++
			return false
		}
		return true
	case s.started && c == ',':
		s.at++
		s.space()
		return true
	case s.started && c == end:
		s.at++
		return false
	}
	return s.fail()
}

func (s *scanner) fail() bool {
	s.broken = true
	return false
}

// peek is the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) space() {
	for s.at < len(s.text) && isSpace(s.text[s.at]) {
		s.at++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// scalarOrTree is the value that begins here; empty when none does.
func (s *scanner) scalarOrTree() []byte {
	start := s.at
	switch s.peek() {
	case '"':
		s.skipString()
	case '{', '[':
		s.skipTree()
	default:
		s.skipWord()
	}
	return s.text[start:s.at]
}

// skipWord goes past a number or a literal.
func (s *scanner) skipWord() {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ',', ':', '"', '{', '}', '[', ']':
			return
		default:
			if isSpace(c) {
				return
			}
		}
	}
}

// skipString goes past a string, or to the end of the text when it is open.
func (s *scanner) skipString() {
	// Few strings hold escapes: the next quote ends most, and is found in a
	// fraction of the time that looking at each byte takes.
	rest := s.text[s.at+1:]
	if end := bytes.IndexByte(rest, '"'); end == 0 || end > 0 && rest[end-1] != '\\' {
		s.at += end + len(`""`)
		return
	}
	for i := s.at + 1; i < len(s.text); i++ {
		switch s.text[i] {
		case '"':
			s.at = i + 1
			return
		case '\\':
			i++
		}
	}
	s.fail()
	s.at = len(s.text)
}

// skipTree goes past an object or array and all that is in it.
func (s *scanner) skipTree() {
	depth := 0
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case '"':
			s.skipString()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.at++
		if depth == 0 {
			return
		}
	}
	s.fail()
}
