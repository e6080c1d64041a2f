package export

import "bytes"

// A spreadsheet stores a number with 15 significant digits, between these powers of
// ten (Excel specifications and limits, "Calculation"). A number that does not fit
// is written as text, so that no digit is lost.
const (
	maxDigits    = 15
	minMagnitude = -306
	maxMagnitude = 308
)

// maxPlain is the largest number of zeros that are added to avoid an exponent:
// LibreOffice reads exponents in a CSV as text.
const maxPlain = 20

// decimal is a JSON number: 0.digits × 10^magnitude.
type decimal struct {
	negative  bool
	exponent  bool   // written with an exponent
	digits    []byte // without leading zeros, and without trailing zeros after the point
	magnitude int
}

// parseDecimal reads a JSON number; the digits are stored in the scratch buffer.
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

// parsePower reads an exponent. It limits one that is far out of range.
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

// fits reports whether a spreadsheet stores the number without loss.
func (d *decimal) fits() bool {
	return d.zero() || len(d.digits) <= maxDigits && minMagnitude <= d.magnitude && d.magnitude <= maxMagnitude
}

// appendNumber appends a JSON number with a decimal comma. quoted is true for a
// number that a spreadsheet would round. A negative zero loses its sign, which
// spreadsheets do not use.
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

// short is a fast path for most numbers: few digits, no exponent, and a sign only
// before a number that is not 0. point is the index of the decimal point, -1 if
// there is none.
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

// withComma appends a JSON number and replaces its point with a comma.
func withComma(out, value []byte) []byte {
	start := len(out)
	out = append(out, value...)
	if i := bytes.IndexByte(out[start:], '.'); i >= 0 {
		out[start+i] = ','
	}
	return out
}

// append appends a number that was written with an exponent. It writes no exponent
// unless that would need too many zeros.
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
