package isolation_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// A canary is a text that names the company whose data it is in, so that it
// tells on its own, wherever it shows, where it came from.
func canary(company tenancy.CompanyID, what string) string {
	return fmt.Sprintf("canary-%d-%s", company, what)
}

// aCanary is what follows its first letter, also behind an escape.
var aCanary = regexp.MustCompile(`^anary(?:-|%2D|\\u002d)([0-9]+)`)

// foreignCanary is the first canary in the text of a company that is not in the
// scope; "" if there is none.
func foreignCanary(text string, scope []tenancy.CompanyID) string {
	for {
		at := strings.Index(text, "anary")
		if at < 0 {
			return ""
		}
		text = text[at:]
		if found := aCanary.FindStringSubmatch(text[:min(len(text), 30)]); found != nil {
			company, err := strconv.ParseUint(found[1], 10, 32)
			if err != nil || !slices.Contains(scope, tenancy.CompanyID(company)) {
				return "c" + found[0]
			}
		}
		text = text[len("anary"):]
	}
}

// everythingIn is all that an answer holds, its cursor also as the bytes that it
// is the encoding of.
func everythingIn(r harness.Reply) string {
	var all strings.Builder
	all.Write(r.Body)
	for name, values := range r.Header {
		fmt.Fprintf(&all, "\n%s: %q", name, values)
	}
	if _, cursor, found := strings.Cut(r.Next(), "cursor="); found {
		sealed, _ := base64.RawURLEncoding.DecodeString(cursor) // what is left of a bad one is looked at too
		all.Write(sealed)
	}
	if plain, err := url.QueryUnescape(r.Header.Get("Link")); err == nil {
		all.WriteString(plain)
	}
	return all.String()
}

func companyName(id tenancy.CompanyID) string { return canary(id, "name") }

// canarySession is a session with a canary in every text of it.
type canarySession struct {
	id      string
	company tenancy.CompanyID
	name    string
	started int64             // milliseconds since 1970
	values  map[string]string // JSON of every field
}

// firstStart is when the oldest sessions began.
const firstStart = 1_600_000_000_000

// newCanarySession makes the company's nth. Those of one n began at one time, so
// that the newest page mixes companies.
func newCanarySession(company tenancy.CompanyID, n int) canarySession {
	s := canarySession{
		id: canary(company, fmt.Sprintf("id-%d", n)), company: company, started: firstStart + int64(n)*60_000,
		values: map[string]string{},
	}
	for _, f := range session.Fields() {
		s.values[f.Name] = s.valueOf(f, n)
	}
	s.name = strings.Trim(s.values["name"], `"`)
	return s
}

// valueOf is the field's value in wire form.
func (s *canarySession) valueOf(f session.Field, n int) string {
	text := strconv.Quote(canary(s.company, fmt.Sprintf("%s-%d", f.Name, n)))
	switch f.Name {
	case "id":
		return strconv.Quote(s.id)
	case "companyId":
		return fmt.Sprint(s.company)
	case "companyName":
		return strconv.Quote(companyName(s.company))
	case "messengerType":
		return strconv.Quote(session.MessengerTypes()[n%5])
	case "operatorType":
		return strconv.Quote(session.OperatorTypes()[n%3])
	case "clientMessageCount", "operatorMessageCount", "botMessageCount":
		return "2"
	case "messageCount":
		return "6"
	}
	switch f.Type {
	case session.TypeInteger:
		return strconv.Itoa(int(s.company)*1000 + n)
	case session.TypeNumber:
		return fmt.Sprintf("%d.5", int(s.company)*1000+n)
	case session.TypeBoolean:
		return strconv.FormatBool(n%2 == 0)
	case session.TypeDate:
		return strconv.Quote(wireDate(s.started))
	case session.TypeStrings:
		return "[" + text + "]"
	case session.TypeOperators:
		return fmt.Sprintf(`[{"id":%d,"name":%s,"type":"OPERATOR","assigned_at":%q}]`, n, text, wireDate(s.started))
	case session.TypeObject:
		return `{"text":` + text + `}`
	}
	return text
}

func wireDate(ms int64) string { return time.UnixMilli(ms).UTC().Format(session.DateLayout) }

// item is the session as an answer has it; no fields: all of them.
func (s *canarySession) item(fields []string) string {
	var members []string
	for _, f := range session.Fields() {
		if len(fields) == 0 || slices.Contains(fields, f.Name) {
			members = append(members, strconv.Quote(f.Name)+":"+s.values[f.Name])
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// holds reports whether a keyword of one word finds it. A canary folds to
// itself.
func (s *canarySession) holds(keyword string) bool {
	return slices.ContainsFunc([]string{"name", "clientId", "whatsappPhone", "telegramClientId"}, func(field string) bool {
		return strings.Contains(s.values[field], keyword)
	})
}
