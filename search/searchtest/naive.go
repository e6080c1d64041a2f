package searchtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// record is a session for the naive scan: its decoded wire form.
type record struct {
	id      string
	company tenancy.CompanyID
	wire    json.RawMessage
	raw     map[string]json.RawMessage // of the fields that have a value
	values  map[string]any             // string, int64 (dates: milliseconds since 1970), float64, bool
	folded  map[string]string          // the strings, folded
}

func newRecord(wire json.RawMessage) (record, error) {
	r := record{wire: wire, values: map[string]any{}, folded: map[string]string{}}
	var err error
	if r.raw, err = members(wire); err != nil {
		return record{}, fmt.Errorf("wire form: %w", err)
	}
	for field, raw := range r.raw {
		value, err := decode(typeOf(field), raw)
		if err != nil {
			return record{}, fmt.Errorf("wire form: %s: %w", field, err)
		}
		if value != nil {
			r.values[field] = value
		}
		if text, ok := value.(string); ok {
			r.folded[field] = keyword.Fold(text)
		}
	}
	r.id = r.text("id")
	r.company = tenancy.CompanyID(r.integer("companyId"))
	return r, nil
}

// members returns the fields of a session that have a value. Reading token by token
// saves most of the work for the thousands of sessions of the deep pages.
func members(object json.RawMessage) (map[string]json.RawMessage, error) {
	d := jsontext.NewDecoder(bytes.NewReader(object), jsontext.AllowDuplicateNames(true))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	all := map[string]json.RawMessage{}
	for d.PeekKind() == jsontext.KindString {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		if end := d.InputOffset(); value.Kind() != jsontext.KindNull {
			all[key] = object[end-int64(len(value)) : end]
		}
	}
	return all, nil
}

// decode reads a value in wire form. It returns nil when there is none, or when no
// query uses it.
func decode(kind session.Type, raw json.RawMessage) (any, error) {
	if string(raw) == "null" {
		return nil, nil //nolint:nilnil // null is a value here
	}
	switch kind {
	case session.TypeString:
		return decodeAs[string](raw)
	case session.TypeInteger:
		return decodeAs[int64](raw)
	case session.TypeNumber:
		return decodeAs[float64](raw)
	case session.TypeBoolean:
		return decodeAs[bool](raw)
	case session.TypeDate:
		t, err := decodeAs[time.Time](raw)
		if err != nil {
			return nil, err
		}
		return t.(time.Time).UnixMilli(), nil
	}
	return nil, nil //nolint:nilnil // lists and objects are passed through
}

func decodeAs[T any](raw json.RawMessage) (any, error) {
	var value T
	err := json.Unmarshal(raw, &value)
	return value, err
}

// text, integer and flag return the zero value for a field without one.
func (r record) text(field string) string {
	text, _ := r.values[field].(string)
	return text
}

func (r record) integer(field string) int64 {
	n, _ := r.values[field].(int64)
	return n
}

func (r record) flag(field string) bool {
	flag, _ := r.values[field].(bool)
	return flag
}

// answer is the result of the naive scan.
type answer struct {
	total int64
	page  []record
	more  bool
}

// ids lists the ids of the page.
func (a answer) ids() []string {
	ids := make([]string, 0, len(a.page))
	for _, r := range a.page {
		ids = append(ids, r.id)
	}
	return ids
}

// scan answers a query by checking every session of its companies.
func scan(records []record, a ask) (answer, error) {
	var found []record
	terms := readKeyword(a.keyword)
	for _, r := range records {
		if r.matches(a.query.Filter) && r.matchesKeyword(terms) {
			found = append(found, r)
		}
	}
	if a.query.NewestOfClient {
		found = newestOfClients(found)
	}
	order(found, a.query.Sort)
	rest, err := behind(found, a.query.Sort, a.query.After)
	if err != nil {
		return answer{}, err
	}
	page, more := cut(rest, a.query.Offset, a.query.Limit)
	return answer{total: int64(len(found)), page: page, more: more}, nil
}

// newestOfClients keeps the sessions that no other session of their client is newer
// than.
func newestOfClients(found []record) []record {
	type client struct {
		company tenancy.CompanyID
		id      string
	}
	newest := map[client]record{}
	for _, r := range found {
		of := client{r.company, r.text("clientId")}
		if other, known := newest[of]; !known || isNewer(r, other) {
			newest[of] = r
		}
	}
	return slices.DeleteFunc(found, func(r record) bool {
		of := client{r.company, r.text("clientId")}
		return of.id != "" && newest[of].id != r.id
	})
}

func cut(rows []record, offset, limit int) (page []record, more bool) {
	rows = rows[min(offset, len(rows)):]
	return rows[:min(limit, len(rows))], len(rows) > limit
}

// matches checks every condition except the keyword.
func (r record) matches(f search.Filter) bool {
	return r.matchesText(f) && r.matchesNot(f) && r.matchesCounts(f) && r.matchesDates(f) && r.matchesChoices(f) &&
		r.isWithin("rating", f.RatingMin, f.RatingMax) && r.isWithin("nps", f.NPSMin, f.NPSMax) &&
		r.isWithin("timerFirstAnswer", f.TimerFirstAnswerMin, nil) && (len(f.Tags) == 0 || r.hasTag(f.Tags))
}

func (r record) matchesText(f search.Filter) bool {
	served := r.text("operatorType")
	if served == "" {
		served = "NONE"
	}
	return (f.SessionID == "" || r.id == f.SessionID) &&
		r.isAnyOf("chatId", nonEmpty(f.ChatID)) &&
		r.isAnyOf("name", nonEmpty(f.Name)) &&
		r.isAnyOf("clientId", nonEmpty(f.ClientID)) &&
		r.isAnyOf("botStatus", nonEmpty(f.BotStatus)) &&
		r.isAnyOf("status", f.Status) &&
		r.isAnyOf("operatorId", f.OperatorIDs) &&
		r.isAnyOf("messengerType", f.MessengerTypes) &&
		(len(f.OperatorTypes) == 0 || slices.Contains(f.OperatorTypes, served))
}

// matchesNot lets sessions without a value pass.
func (r record) matchesNot(f search.Filter) bool {
	for field, refused := range map[string][]string{
		"messengerType": f.MessengerTypesNot, "status": f.StatusNot, "operatorId": f.OperatorIDsNot,
	} {
		if text, ok := r.values[field].(string); ok && slices.Contains(refused, text) {
			return false
		}
	}
	return !r.hasTag(f.TagsNot)
}

// isWithin compares a number with bounds, of which either may be nil.
func (r record) isWithin(field string, least, most *float64) bool {
	if least == nil && most == nil {
		return true
	}
	n, ok := r.number(field)
	return ok && (least == nil || n >= *least) && (most == nil || n <= *most)
}

func (r record) number(field string) (n float64, ok bool) {
	switch value := r.values[field].(type) {
	case int64:
		return float64(value), true
	case float64:
		return value, true
	}
	return 0, false
}

func nonEmpty(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// isAnyOf compares byte by byte. An empty list is no condition.
func (r record) isAnyOf(field string, wanted []string) bool {
	text, ok := r.values[field].(string)
	return len(wanted) == 0 || ok && slices.Contains(wanted, text)
}

func (r record) matchesCounts(f search.Filter) bool {
	client := r.integer("clientMessageCount")
	others := r.integer("operatorMessageCount") + r.integer("botMessageCount")
	return client+others >= f.MinMessageCount && (!f.OnlyClientMessages || client > 0 && others == 0)
}

func (r record) matchesDates(f search.Filter) bool {
	if f.From.IsZero() && f.To.IsZero() {
		return true
	}
	ms, ok := r.values[dateFieldOf(f)].(int64)
	return ok &&
		(f.From.IsZero() || ms >= f.From.UnixMilli()) &&
		(f.To.IsZero() || ms <= f.To.UnixMilli())
}

// dateFieldOf is the field that the filter's dates bound.
func dateFieldOf(f search.Filter) string {
	if f.DateField == "" {
		return "createdAt"
	}
	return string(f.DateField)
}

// matchesChoices treats a missing value as false.
func (r record) matchesChoices(f search.Filter) bool {
	_, closed := r.values["closedAt"]
	for _, choice := range []struct {
		is     bool
		wanted *bool
	}{
		{r.flag("markedAsSpam"), f.MarkedAsSpam},
		{r.flag("clientBanned"), f.ClientBanned},
		{closed, f.Closed},
		{r.flag("isLostSession"), f.IsLostSession},
		{r.integer("unreadClientMessageCount") > 0, f.HasUnread},
	} {
		if choice.wanted != nil && choice.is != *choice.wanted {
			return false
		}
	}
	return true
}

// hasTag reports whether the session has one of the tags.
func (r record) hasTag(wanted []string) bool {
	for tag := range strings.SplitSeq(r.text("tags"), ",") {
		if tag = strings.TrimSpace(tag); tag != "" && slices.Contains(wanted, tag) {
			return true
		}
	}
	return false
}
