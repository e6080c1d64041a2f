package jsonscan

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// Scanner walks over a text of JSON. Open steps into an object or list; Member and
// Element step from value to value and return false behind the last one:
//
//	for s.Open('{'); s.Member(); {
//		use(s.Name, s.Value)
//	}
//
// Key and Next leave the value unread, so that Open can step into it. It has then to
// be read to its end, or skipped by Take, before the walk around it goes on.
//
// A text that is not what was asked for makes the scanner broken: every step of it
// returns false from then on.
type Scanner struct {
	Name  []byte // of the member found last, unquoted
	Value []byte // found last, without white space around it

	text   []byte
	at     int
	opened bool // a bracket has just been read: no comma stands before the next value
	broken bool
}

// New is a scanner at the beginning of the text.
func New(text []byte) Scanner { return Scanner{text: text} }

// Open steps into the object ('{') or list ('[') that comes next.
func (s *Scanner) Open(bracket byte) bool {
	s.space()
	if s.broken || s.at == len(s.text) || s.text[s.at] != bracket {
		return s.Fail()
	}
	s.at++
	s.opened = true
	return true
}

// Member steps to the object's next member and reads its name and value.
func (s *Scanner) Member() bool { return s.Key() && s.read() }

// Element steps to the list's next element and reads it.
func (s *Scanner) Element() bool { return s.Next() && s.read() }

// Key steps to the object's next member and reads its name only.
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

// Next steps to the list's next element, which it does not read.
func (s *Scanner) Next() bool { return s.step(']') }

// step goes past the comma before a value, or past the closing bracket, and then
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

// Take reads the value that comes next; nil when none does.
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

// Skip goes past the next n bytes of Rest and returns them.
func (s *Scanner) Skip(n int) []byte {
	start := s.at
	s.at += n
	return s.text[start:s.at:s.at]
}

// Rest is the text that has not been read.
func (s *Scanner) Rest() []byte { return s.text[s.at:] }

// Fail makes the scanner broken. It returns false.
func (s *Scanner) Fail() bool {
	s.broken = true
	return false
}

// Broken reports whether the text is not what was asked for.
func (s *Scanner) Broken() bool { return s.broken }

// Done reports whether all of the text has been read and was what was asked for;
// white space behind it is no more of it.
func (s *Scanner) Done() bool {
	s.space()
	return !s.broken && s.at == len(s.text)
}

// space goes past white space. It is small, so that the compiler puts it in line:
// most texts have none.
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
