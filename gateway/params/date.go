package params

import (
	"regexp"
	"strings"
	"time"
)

func applyFrom(d *decoder, v value) string {
	at, problem := parseDate(v.text)
	if problem != "" {
		return problem
	}
	if whole := at.Truncate(time.Millisecond); whole.Before(at) {
		at = whole.Add(time.Millisecond)
	}
	d.asked.Query.Filter.From = at
	return checkDate(at)
}

func applyTo(d *decoder, v value) string {
	at, problem := parseDate(v.text)
	if problem != "" {
		return problem
	}
	at = at.Truncate(time.Millisecond)
	d.asked.Query.Filter.To = at
	return checkDate(at)
}

// checkDate keeps dates within the years that RFC 3339 can write once they are
// UTC. The first instant of all is out too: it is the zero time, which a Filter
// reads as no bound, so that a to of it would widen the answer.
func checkDate(at time.Time) string {
	if at.IsZero() || at.Year() < 1 || at.Year() > 9999 {
		return "must be after 0001-01-01T00:00:00Z and before the year 10000 in UTC"
	}
	return ""
}

// repairPlus gives a date back the + of its offset, which a query string that
// was not encoded turns into a space.
func repairPlus(date string) string {
	const offset = len("+00:00")
	if at := len(date) - offset; at > 0 && date[at] == ' ' {
		return date[:at] + "+" + date[at+1:]
	}
	return date
}

// rfc3339 is the form that time.Parse alone does not insist on: it takes a
// decimal comma and single digits too (golang.org/issue/54580).
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// parseDate reads RFC 3339, with the lower-case t and z that its section 5.6
// allows.
func parseDate(text string) (time.Time, string) {
	text = strings.ToUpper(repairPlus(text))
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || !rfc3339.MatchString(text) {
		return time.Time{}, "must be an RFC 3339 date and time, for example 2018-05-27T21:30:54+00:00 (in a URL, write + as %2B)"
	}
	return at.UTC(), ""
}
