package export

import (
	"time"

	"github.com/scopegate/scopegate/search"
)

// rfc3339Dates writes RFC 3339 with milliseconds in the zone.
func rfc3339Dates(out, text []byte, zone *time.Location) []byte {
	if zone == time.UTC && len(text) == len(search.DateLayout) {
		return append(out, text...) // wire form
	}
	return appendDate(out, text, zone, appendRFC3339)
}

// plainDates writes a date as spreadsheets read it, cut to seconds.
func plainDates(out, text []byte, zone *time.Location) []byte {
	const day, clock = len("2006-01-02"), len("15:04:05")
	if zone == time.UTC && len(text) == len(search.DateLayout) {
		out = append(append(out, text[:day]...), ' ')
		return append(out, text[day+1:day+1+clock]...)
	}
	return appendDate(out, text, zone, appendPlain)
}

// appendDate leaves what is no date as it is: it is what the engine holds.
func appendDate(out, text []byte, zone *time.Location, form func([]byte, time.Time) []byte) []byte {
	ms, ok := search.ParseDate(text)
	if !ok {
		return append(out, text...)
	}
	return form(out, time.UnixMilli(ms).In(zone))
}

// appendRFC3339 is AppendFormat of "2006-01-02T15:04:05.000Z07:00", in a fifth of
// its time.
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

// appendPlain is AppendFormat of time.DateTime.
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

// appendDigits writes a number of at most 4 digits, from 0 up.
func appendDigits(out []byte, n, width int) []byte {
	for unit := [...]int{1, 10, 100, 1000}[width-1]; unit > 0; unit /= 10 {
		out = append(out, '0'+byte(n/unit%10))
	}
	return out
}
