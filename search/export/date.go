package export

import (
	"time"

	"github.com/scopegate/scopegate/session"
)

// rfc3339Dates writes RFC 3339 with milliseconds, in the zone.
func rfc3339Dates(out, text []byte, zone *time.Location) ([]byte, bool) {
	if zone == time.UTC && likeWire(text) {
		return append(out, text...), true
	}
	at, ok := dateIn(zone, text)
	if at = inWholeMinutes(at); !ok || !inCalendar(at) {
		return out, false
	}
	return appendRFC3339(out, at), true
}

// plainDates writes a date in the form that spreadsheets read, truncated to
// seconds.
func plainDates(out, text []byte, zone *time.Location) ([]byte, bool) {
	const day, clock = len("2006-01-02"), len("15:04:05")
	if zone == time.UTC && likeWire(text) {
		out = append(append(out, text[:day]...), ' ')
		return append(out, text[day+1:day+1+clock]...), true
	}
	at, ok := dateIn(zone, text)
	if !ok || !inCalendar(at) {
		return out, false
	}
	return appendPlain(out, at), true
}

// likeWire reports whether a text has the shape of a date in wire form.
func likeWire(text []byte) bool {
	if len(text) != len(session.DateLayout) {
		return false
	}
	for i, c := range text {
		if like := session.DateLayout[i]; c != like && (c < '0' || c > '9' || like < '0' || like > '9') {
			return false
		}
	}
	return true
}

// dateIn reads a date; ok is false when the text is not a date.
func dateIn(zone *time.Location, text []byte) (time.Time, bool) {
	ms, ok := session.ParseDate(text)
	return time.UnixMilli(ms).In(zone), ok
}

// inCalendar reports whether the year has four digits and is not 0. A zone may move
// a stored date out of these years, which readers do not support.
func inCalendar(at time.Time) bool {
	year := at.Year()
	return 1 <= year && year <= 9999
}

// inWholeMinutes truncates the zone's offset to whole minutes, which RFC 3339
// requires: before standard time, zones had offsets with seconds.
func inWholeMinutes(at time.Time) time.Time {
	_, offset := at.Zone()
	if rest := offset % 60; rest != 0 {
		return at.In(time.FixedZone("", offset-rest))
	}
	return at
}

// appendRFC3339 is like AppendFormat with "2006-01-02T15:04:05.000Z07:00", in a
// fifth of the time.
func appendRFC3339(out []byte, at time.Time) []byte {
	out = appendClock(append(appendDay(out, at), 'T'), at)
	out = appendDigits(append(out, '.'), at.Nanosecond()/1e6, 3)
	_, offset := at.Zone()
	if offset == 0 {
		return append(out, 'Z')
	}
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	out = appendDigits(append(out, sign), offset/3600, 2)
	return appendDigits(append(out, ':'), offset/60%60, 2)
}

// appendPlain is like AppendFormat with time.DateTime.
func appendPlain(out []byte, at time.Time) []byte {
	return appendClock(append(appendDay(out, at), ' '), at)
}

func appendDay(out []byte, at time.Time) []byte {
	year, month, day := at.Date()
	out = append(appendDigits(out, year, 4), '-')
	return appendDigits(append(appendDigits(out, int(month), 2), '-'), day, 2)
}

func appendClock(out []byte, at time.Time) []byte {
	hour, minute, second := at.Clock()
	out = append(appendDigits(out, hour, 2), ':')
	return appendDigits(append(appendDigits(out, minute, 2), ':'), second, 2)
}

// appendDigits writes a non-negative number of at most 4 digits.
func appendDigits(out []byte, n, width int) []byte {
	for unit := [...]int{1, 10, 100, 1000}[width-1]; unit > 0; unit /= 10 {
		out = append(out, '0'+byte(n/unit%10))
	}
	return out
}
