package export

import "bytes"

// A spreadsheet keeps a number in 15 significant digits, between these powers of
// ten (Excel specifications and limits, "Calculation"). What does not fit is
// written as text, so that no digit is lost.
const (
	maxDigits    = 15
	minMagnitude = -306
	maxMagnitude = 308
)

// maxPlain is how many zeros a number is filled with rather than written with an
// exponent: LibreOffice takes exponents for text when it opens a CSV.
const maxPlain = 20

// decimal is a JSON number: 0.digits × 10^magnitude.
type decimal struct {
	negative  bool
	exponent  bool   // it is written with one
	digits    []byte // without zeros in front, and behind the point without zeros at the end
	magnitude int
}

// parseDecimal reads a JSON number; the digits go into the scratch.
func parseDecimal(value, scratch []byte) decimal {
	d := decimal{digits: scratch[:0]}
	if value[0] == '-' {
		d.negative, value = true, value[1:]
	}
	mantissa, power := value, 0
	if i := bytes.IndexAny(value, "eE"); i >= 0 {
		d.exponent, mantissa, power = true, value[:i], parsePower(value[i+1:])
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	fraction = bytes.TrimRight(fraction, "0")
	d.digits = append(append(d.digits, whole...), fraction...)
	before := len(d.digits)
	d.digits = bytes.TrimLeft(d.digits, "0")
	d.magnitude = len(whole) - (before - len(d.digits)) + power
	return d
}

// parsePower reads an exponent; one that is out of every range is cut short.
func parsePower(text []byte) int {
	const enough = 1_000_000
	negative := bytes.HasPrefix(text, []byte("-"))
	power := 0
	for _, c := range bytes.TrimLeft(text, "+-") {
		power = min(10*power+int(c-'0'), enough)
	}
	if negative {
		return -power
	}
	return power
}

func (d *decimal) zero() bool { return len(d.digits) == 0 }

// fits reports whether a spreadsheet keeps the number as it is.
func (d *decimal) fits() bool {
	return d.zero() || len(d.digits) <= maxDigits && minMagnitude <= d.magnitude && d.magnitude <= maxMagnitude
}

// appendNumber appends a JSON number with a decimal comma; quoted is for one that
// a spreadsheet would round. A negative zero loses its sign, which spreadsheets
// have no use for.
func (c *cells) appendNumber(out, value []byte) []byte {
	if point, ok := short(value); ok {
		out = append(out, value...)
		if point >= 0 {
			out[len(out)-len(value)+point] = ','
		}
		return out
	}
	d := parseDecimal(value, c.scratch)
	c.scratch = d.digits[:0]
	switch {
	case !d.fits():
		return append(withComma(append(out, '"'), value), '"')
	case d.zero() && d.exponent:
		return append(out, '0')
	case d.exponent:
		return d.append(out)
	case d.zero() && d.negative:
		return withComma(out, value[1:])
	}
	return withComma(out, value)
}

// short is for most numbers: few digits, no exponent, and no sign but before one
// that is not 0. point is where it has its point, -1 for none.
func short(value []byte) (point int, ok bool) {
	if len(value) > maxDigits || value[0] == '-' && !bytes.ContainsAny(value, "123456789") {
		return -1, false
	}
	point = -1
	for i, c := range value {
		switch c {
		case '.':
			point = i
		case 'e', 'E':
			return -1, false
		}
	}
	return point, true
}

// withComma appends a JSON number with a comma for its point.
func withComma(out, value []byte) []byte {
	start := len(out)
	out = append(out, value...)
	if i := bytes.IndexByte(out[start:], '.'); i >= 0 {
		out[start+i] = ','
	}
	return out
}

// append appends a number that was written with an exponent: without one, unless
// that takes too many zeros.
func (d *decimal) append(out []byte) []byte {
	if d.negative {
		out = append(out, '-')
	}
	digits, point := d.digits, d.magnitude
	switch {
	case point > maxPlain || point < -maxPlain:
		out = append(out, digits[0])
		if len(digits) > 1 {
			out = append(append(out, ','), digits[1:]...)
		}
		return appendPower(append(out, 'E'), point-1)
	case point <= 0:
		return append(appendZeros(append(out, "0,"...), -point), digits...)
	case point >= len(digits):
		return appendZeros(append(out, digits...), point-len(digits))
	}
	return append(append(append(out, digits[:point]...), ','), digits[point:]...)
}

func appendZeros(out []byte, n int) []byte {
	for range n {
		out = append(out, '0')
	}
	return out
}

// appendPower appends an exponent of at most three digits.
func appendPower(out []byte, power int) []byte {
	sign := byte('+')
	if power < 0 {
		sign, power = '-', -power
	}
	return appendDigits(append(out, sign), power, 3)
}
