package export

import (
	"unicode"
	"unicode/utf8"
)

// class is the meaning of a character to a spreadsheet that opens a CSV.
type class byte

const (
	classText  class = iota
	classBlank       // no meaning; a spreadsheet may drop it at the beginning of a cell
	classBreak       // a line break
	classComma       // a separator of cells, with some system settings
	classTab         // also a separator, and dropped at the beginning of a cell
	classSign        // at the beginning of a cell it makes a formula
)

// classOf returns the class of the first character of a text, and its length in
// bytes.
//
// The signs are those of https://owasp.org/www-community/attacks/CSV_Injection, and
// the characters that programs convert to them: Excel of East Asian systems reads
// full-width signs as the plain ones. Programs drop different characters before
// they look for a sign, so quotes and all invisible characters count as blank.
func classOf(text []byte) (class, int) {
	r, size := utf8.DecodeRune(text)
	switch r {
	case ',', ';':
		return classComma, size
	case '\t':
		return classTab, size
	case '\n', '\v', '\f', '\r', '\u0085', '\u2028', '\u2029':
		return classBreak, size
	case '=', '+', '-', '@', 0, '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫':
		return classSign, size
	case '"':
		return classBlank, size
	}
	if ' ' < r && r < unicode.MaxASCII { // most
		return classText, size
	}
	if unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf) {
		return classBlank, size
	}
	return classText, size
}

// begins reports whether a cell may begin after a character of the class; before
// says whether it may begin before the character.
func (c class) begins(before bool) bool {
	switch c {
	case classComma, classTab, classBreak:
		return true
	case classBlank:
		return before
	case classText, classSign:
	}
	return false
}

// mayBegin reports whether the byte is the first byte of a character after which a
// cell may begin.
var mayBegin = [256]bool{',': true, ';': true, '\t': true, '\n': true, '\v': true, '\f': true, '\r': true, 0xC2: true, 0xE2: true}

// inert changes a text so that a spreadsheet runs nothing in it. It puts a ' before
// each sign that may begin a cell: at the beginning, and after separators and line
// breaks. It also puts one before a tab or line break at the beginning of the text,
// and before a tab after a separator. A line break within the text gets none: it
// begins no cell, and most lines of a message end with a comma or are followed by a
// blank line.
//
// The result is the text itself or lies in the scratch buffer, which is returned
// for the next use.
func inert(out, text []byte) (safe, scratch []byte) {
	out = out[:0]
	begins := true // the next character may begin a cell
	first := true  // only blanks so far
	from := 0
	for i := 0; i < len(text); {
		if !begins {
			for i < len(text) && !mayBegin[text[i]] {
				i++
			}
			if i == len(text) {
				break
			}
		}
		is, size := classOf(text[i:])
		if begins && (is == classSign || is == classTab || is == classBreak && first) {
			out = append(append(out, text[from:i]...), '\'')
			from = i
		}
		i += size
		begins = is.begins(begins)
		first = first && is == classBlank
	}
	if len(out) == 0 {
		return text, out
	}
	out = append(out, text[from:]...)
	return out, out
}

// inertJSON does the same for a list or an object. It writes signs within strings
// as escapes, so that the result is the same JSON. A sign outside of strings
// belongs to a number, which is not run.
func inertJSON(out, value []byte) (safe, scratch []byte) {
	out = out[:0]
	begins, within := false, false
	from := 0
	for i := 0; i < len(value); {
		switch {
		case value[i] == '\\' && within:
			i += 2
			begins = false
			continue
		case value[i] == '"':
			within = !within
		case !begins && !mayBegin[value[i]]:
			i++
			continue
		}
		is, size := classOf(value[i:])
		if begins && within && is == classSign {
			r, _ := utf8.DecodeRune(value[i:])
			out = appendEscape(append(out, value[from:i]...), r)
			from = i + size
		}
		i += size
		begins = is.begins(begins)
	}
	if len(out) == 0 {
		return value, out
	}
	out = append(out, value[from:]...)
	return out, out
}

// appendEscape writes a character of the basic plane as a JSON escape.
func appendEscape(out []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(out, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
