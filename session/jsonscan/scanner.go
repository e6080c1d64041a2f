package jsonscan

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// Scanner iterates over a JSON text. Open enters an object or list. Member and
// Element move from value to value and return false after the last one:
//
//	for s.Open('{'); s.Member(); {
//		use(s.Name, s.Value)
//	}
//
// Key and Next do not read the value, so that Open can enter it. It must then be
// read to its end, or skipped with Take, before the outer iteration continues.
//
// If the text does not have the requested form, the scanner is broken: every later
// step returns false.
type Scanner struct {
	Name  []byte // of the last member, unquoted
	Value []byte // the last value, without white space around it

	text   []byte
	at     int
	opened bool // a bracket was just read: no comma comes before the next value
	broken bool
}

// New returns a scanner at the beginning of the text.
func New(text []byte) Scanner { return Scanner{text: text} }

// Open enters the object ('{') or list ('[') that comes next.
func (s *Scanner) Open(bracket byte) bool {
	s.space()
	if s.broken || s.at == len(s.text) || s.text[s.at] != bracket {
		return s.Fail()
	}
	s.at++
	s.opened = true
	return true
}

// Member moves to the object's next member and reads its name and value.
func (s *Scanner) Member() bool { return s.Key() && s.read() }

// Element moves to the list's next element and reads it.
func (s *Scanner) Element() bool { return s.Next() && s.read() }

// Key moves to the object's next member and reads its name only.
func (s *Scanner) Key() bool {
	if !s.step('}') {
		return false
	}
	n := StringEnd(s.text[s.at:])
	if n == 0 {
		return s.Fail()
	}
	name := s.text[s.at : s.at+n]
	s.at += n
	s.Name = name[1 : n-1]
	if bytes.IndexByte(s.Name, '\\') >= 0 {
		unquoted, err := jsontext.AppendUnquote(nil, name)
		if err != nil {
			return s.Fail()
		}
		s.Name = unquoted
	}
	s.space()
	if s.at == len(s.text) || s.text[s.at] != ':' {
		return s.Fail()
	}
	s.at++
	s.space()
	return true
}

// Next moves to the list's next element without reading it.
func (s *Scanner) Next() bool { return s.step(']') }

// step skips the comma before a value. At the closing bracket it skips that and
// returns false.
func (s *Scanner) step(end byte) bool {
	s.space()
	if s.broken || s.at == len(s.text) {
		return s.Fail()
	}
	first := s.opened
	s.opened = false
	switch c := s.text[s.at]; {
	case c == end:
		s.at++
		return false
	case first:
		return true
	case c == ',':
		s.at++
		s.space()
		return true
	}
	return s.Fail()
}

func (s *Scanner) read() bool {
	s.Value = s.Take()
	return !s.broken
}

// Take reads and returns the next value, nil when there is none.
func (s *Scanner) Take() []byte {
	if s.broken {
		return nil
	}
	n := ValueEnd(s.text[s.at:])
	if n == 0 {
		s.Fail()
		return nil
	}
	return s.Skip(n)
}

// Skip skips the next n bytes of Rest and returns them.
func (s *Scanner) Skip(n int) []byte {
	start := s.at
	s.at += n
	return s.text[start:s.at:s.at]
}

// Rest returns the text that has not been read.
func (s *Scanner) Rest() []byte { return s.text[s.at:] }

// Fail makes the scanner broken. It returns false.
func (s *Scanner) Fail() bool {
	s.broken = true
	return false
}

// Broken reports whether the text did not have the requested form.
func (s *Scanner) Broken() bool { return s.broken }

// Done reports whether the whole text, apart from white space at its end, has been
// read and had the requested form.
func (s *Scanner) Done() bool {
	s.space()
	return !s.broken && s.at == len(s.text)
}

// space skips white space. It is small, so that the compiler inlines it: most texts
// have none.
func (s *Scanner) space() {
	if s.at < len(s.text) && s.text[s.at] <= ' ' {
		s.skipSpace()
	}
}

func (s *Scanner) skipSpace() {
	for s.at < len(s.text) && IsSpace(s.text[s.at]) {
		s.at++
	}
}
