package jsonscan

import (
	"bytes"
	"iter"
)

// ValueEnd is the length of the value that the text begins with; 0: none does.
// What a number or literal is made of is not looked at.
func ValueEnd(text []byte) int {
	if len(text) == 0 {
		return 0
	}
	switch text[0] {
	case '"':
		return StringEnd(text)
	case '{', '[':
		return TreeEnd(text)
	}
	return WordEnd(text)
}

// StringEnd is the length of the string that the text begins with, quotes
// included; 0: it begins with none, or with one that does not end.
func StringEnd(text []byte) int {
	if len(text) == 0 || text[0] != '"' {
		return 0
	}
	// Few strings hold escapes: the next quote ends most, and bytes.IndexByte finds
	// it in a fraction of the time that looking at each byte takes.
	for start := 1; ; {
		n := bytes.IndexByte(text[start:], '"')
		if n < 0 {
			return 0
		}
		quote := start + n
		if n == 0 || text[quote-1] != '\\' || slashes(text[start:quote])%2 == 0 {
			return quote + 1
		}
		start = quote + 1
	}
}

// slashes is how many backslashes the text ends with.
func slashes(text []byte) int { return len(text) - len(bytes.TrimRight(text, `\`)) }

// TreeEnd is the length of the object or list that the text begins with; 0: it
// begins with none, or with one that does not end. It finds no end where a comment
// is: some writers of JSON take them, and quotes in them look like those of strings.
func TreeEnd(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			n := StringEnd(text[i:])
			if n == 0 {
				return 0
			}
			i += n - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '/':
			return 0
		}
		if depth <= 0 {
			return 0
		}
	}
	return 0
}

// WordEnd is the length of the number or literal that the text begins with; 0:
// none does.
func WordEnd(text []byte) int {
	for i, c := range text {
		if endsWord[c] {
			return i
		}
	}
	return len(text)
}

// endsWord has what may stand behind a number or literal.
var endsWord = [256]bool{
	',': true, ':': true, '"': true, '{': true, '}': true, '[': true, ']': true,
	' ': true, '\n': true, '\r': true, '\t': true,
}

// IsSpace reports whether JSON takes the byte for white space.
func IsSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// Flatten yields the values in a value, however deep in lists, without nulls. It
// stops where the text is no JSON.
func Flatten(value []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for rest := value; len(rest) > 0; {
			if c := rest[0]; c == '[' || c == ']' || c == ',' || IsSpace(c) {
				rest = rest[1:]
				continue
			}
			n := ValueEnd(rest)
			if n == 0 || string(rest[:n]) != "null" && !yield(rest[:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}
