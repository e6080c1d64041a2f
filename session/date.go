package session

import "time"

// DateLayout is the wire form of a date: RFC 3339, UTC, milliseconds.
const DateLayout = "2006-01-02T15:04:05.000Z"

// Dates are within the years 1 to 9999, since the wire form has four digits for the
// year. In milliseconds since 1970.
const (
	MinDate = -62_135_596_800_000
	MaxDate = 253_402_300_799_999
)

// parseWireDate reads a date that is exactly in wire form, as milliseconds since
// 1970. It is a fast path for the dates of stored sessions, and of importers that
// write what they have read.
func parseWireDate(text []byte) (ms int64, ok bool) {
	if len(text) != len(DateLayout) {
		return 0, false
	}
	for i, c := range text {
		if layout := DateLayout[i]; isDigit(layout) != isDigit(c) || !isDigit(c) && c != layout {
			return 0, false
		}
	}
	year, month, day := digits(text[0:4]), digits(text[5:7]), digits(text[8:10])
	hour, minute, second := digits(text[11:13]), digits(text[14:16]), digits(text[17:19])
	if year < 1 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	if t.Day() != day { // a day that the month lacks became a day of the next month
		return 0, false
	}
	return t.UnixMilli() + int64(digits(text[20:23])), true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// digits reads a number; every character must be a digit.
func digits(text []byte) int {
	n := 0
	for _, c := range text {
		n = n*10 + int(c-'0')
	}
	return n
}

// ParseDate reads RFC 3339 with any offset and fraction and truncates it to
// milliseconds since 1970. ok is false when text is not a date, or has a year that
// wire form cannot write.
func ParseDate(text []byte) (ms int64, ok bool) {
	if ms, ok := parseWireDate(text); ok {
		return ms, true
	}
	var t time.Time
	if err := t.UnmarshalText(text); err != nil {
		return 0, false
	}
	ms = t.UnixMilli()
	return ms, ms >= MinDate && ms <= MaxDate
}

// RoundUpMilli returns the first whole millisecond since 1970 that is not before t.
// It serves as a lower bound of dates, which are stored in milliseconds.
func RoundUpMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.After(time.UnixMilli(ms)) {
		ms++
	}
	return ms
}
