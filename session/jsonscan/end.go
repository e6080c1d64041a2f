package jsonscan

import (
	"bytes"
	"iter"
)

// ValueEnd returns the length of the value at the start of the text, 0 when there
// is none. The characters of a number or literal are not checked.
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

// StringEnd returns the length of the string at the start of the text, including
// its quotes; 0 when there is none, or it does not end.
func StringEnd(text []byte) int {
	if len(text) == 0 || text[0] != '"' {
		return 0
	}
	// Few strings contain escapes, so the next quote is usually the end.
	// bytes.IndexByte finds it in a fraction of the time of a loop over the bytes.
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

// slashes returns the number of backslashes at the end of the text.
func slashes(text []byte) int { return len(text) - len(bytes.TrimRight(text, `\`)) }

// TreeEnd returns the length of the object or list at the start of the text; 0 when
// there is none, or it does not end. It finds no end if there is a comment: some
// writers of JSON allow comments, and quotes in them look like those of strings.
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

// WordEnd returns the length of the number or literal at the start of the text, 0
// when there is none.
func WordEnd(text []byte) int {
	for i, c := range text {
		if endsWord[c] {
			return i
		}
	}
	return len(text)
}

// endsWord marks the bytes that may follow a number or literal.
var endsWord = [256]bool{
	',': true, ':': true, '"': true, '{': true, '}': true, '[': true, ']': true,
	' ': true, '\n': true, '\r': true, '\t': true,
}

// IsSpace reports whether the byte is white space in JSON.
func IsSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// Flatten yields the values in a value, including those in nested lists, without
// nulls. It stops where the text is not valid JSON.
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
