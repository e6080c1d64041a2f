package searchtest

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
)

// condition adds a condition to a query, taken from the values of one session, the
// witness. So the query matches at least that session, and seldom all. It returns
// false when the witness has no suitable value.
type condition struct {
	name   string
	narrow func(t *rapid.T, a *ask, witness record) bool
}

func conditions() []condition {
	keyword, phone := condition{"keyword", narrowByKeyword}, condition{"phone", narrowByPhone}
	return []condition{
		keyword, keyword, keyword, phone, phone, phone, // more often, since the other conditions are simpler
		{"sessionId", func(_ *rapid.T, a *ask, w record) bool { a.query.Filter.SessionID = w.id; return true }},
		{"chatId", textOf("chatId", func(f *search.Filter, v string) { f.ChatID = v })},
		{"name", textOf("name", func(f *search.Filter, v string) { f.Name = v })},
		{"botStatus", textOf("botStatus", func(f *search.Filter, v string) { f.BotStatus = v })},
		{"status", listOf("status", genStatuses, func(f *search.Filter, v []string) { f.Status = v })},
		{"operatorId", listOf("operatorId", genShort, func(f *search.Filter, v []string) { f.OperatorIDs = v })},
		{"messengerType", listOf("messengerType", evenly(session.MessengerTypes()),
			func(f *search.Filter, v []string) { f.MessengerTypes = v })},
		{"messengerTypeNot", notOf("messengerType", evenly(session.MessengerTypes()),
			func(f *search.Filter, v []string) { f.MessengerTypesNot = v })},
		{"statusNot", notOf("status", genStatuses, func(f *search.Filter, v []string) { f.StatusNot = v })},
		{"operatorIdNot", notOf("operatorId", genShort, func(f *search.Filter, v []string) { f.OperatorIDsNot = v })},
		{"tags", narrowByTag},
		{"tagsNot", narrowByTagNot},
		{"operatorType", func(t *rapid.T, a *ask, w record) bool {
			served := session.OperatorNone
			if text := w.text("operatorType"); text != "" {
				served = text
			}
			others := rapid.SliceOfN(evenly(session.OperatorTypes()), 0, 1).Draw(t, "other operatorType")
			a.query.Filter.OperatorTypes = slices.Concat(others, []string{served})
			return true
		}},
		{"minMessageCount", func(_ *rapid.T, a *ask, w record) bool {
			a.query.Filter.MinMessageCount = w.integer("messageCount")
			return true
		}},
		{"onlyClientMessages", func(_ *rapid.T, a *ask, w record) bool {
			a.query.Filter.OnlyClientMessages = true
			return w.integer("messageCount") > 0 && w.integer("messageCount") == w.integer("clientMessageCount")
		}},
		{"markedAsSpam", flagOf("markedAsSpam", func(f *search.Filter, v *bool) { f.MarkedAsSpam = v })},
		{"clientBanned", flagOf("clientBanned", func(f *search.Filter, v *bool) { f.ClientBanned = v })},
		{"closed", func(_ *rapid.T, a *ask, w record) bool {
			_, closed := w.values["closedAt"]
			a.query.Filter.Closed = &closed
			return true
		}},
		{"isLostSession", flagOf("isLostSession", func(f *search.Filter, v *bool) { f.IsLostSession = v })},
		{"hasUnread", func(_ *rapid.T, a *ask, w record) bool {
			unread := w.integer("unreadClientMessageCount") > 0
			a.query.Filter.HasUnread = &unread
			return true
		}},
		{"clientId", textOf("clientId", func(f *search.Filter, v string) { f.ClientID = v })},
		{"npsMin", boundOf("nps", func(f *search.Filter, v *float64) { f.NPSMin = v })},
		{"npsMax", boundOf("nps", func(f *search.Filter, v *float64) { f.NPSMax = v })},
		{"timerFirstAnswerMin", boundOf("timerFirstAnswer", func(f *search.Filter, v *float64) { f.TimerFirstAnswerMin = v })},
		{"ratingMin", boundOf("rating", func(f *search.Filter, v *float64) { f.RatingMin = v })},
		{"ratingMax", boundOf("rating", func(f *search.Filter, v *float64) { f.RatingMax = v })},
		{"from", dateOf(func(f *search.Filter, ms int64) { f.From = time.UnixMilli(ms).UTC() })},
		{"to", dateOf(func(f *search.Filter, ms int64) { f.To = time.UnixMilli(ms).UTC() })},
	}
}

func narrowByTag(t *rapid.T, a *ask, w record) bool {
	tags := strings.FieldsFunc(w.text("tags"), func(r rune) bool { return r == ',' })
	if len(tags) == 0 {
		return false
	}
	tag := strings.TrimSpace(tags[below(len(tags)).Draw(t, "tag")])
	if tag != "" {
		a.query.Filter.Tags = evenly([][]string{{tag}, {tag, "no such"}, {"no such", tag}}).Draw(t, "tags")
	}
	return tag != ""
}

func textOf(field string, set func(*search.Filter, string)) func(*rapid.T, *ask, record) bool {
	return func(_ *rapid.T, a *ask, w record) bool {
		set(&a.query.Filter, w.text(field))
		return w.text(field) != ""
	}
}

func listOf(field string, others *rapid.Generator[string], set func(*search.Filter, []string)) func(*rapid.T, *ask, record) bool {
	return func(t *rapid.T, a *ask, w record) bool {
		text, ok := w.values[field].(string)
		if ok {
			set(&a.query.Filter, append(rapid.SliceOfN(others, 0, 1).Draw(t, "other "+field), text))
		}
		return ok
	}
}

// notOf draws values that the witness does not have.
func notOf(field string, values *rapid.Generator[string], set func(*search.Filter, []string)) func(*rapid.T, *ask, record) bool {
	return func(t *rapid.T, a *ask, w record) bool {
		own, has := w.values[field].(string)
		refused := slices.DeleteFunc(rapid.SliceOfN(values, 1, 2).Draw(t, "not "+field), func(v string) bool { return has && v == own })
		set(&a.query.Filter, refused)
		return len(refused) > 0
	}
}

func narrowByTagNot(t *rapid.T, a *ask, w record) bool {
	refused := slices.DeleteFunc(rapid.SliceOfN(genTags, 1, 2).Draw(t, "not tags"), func(tag string) bool {
		return tag == "" || w.hasTag([]string{tag})
	})
	a.query.Filter.TagsNot = refused
	return len(refused) > 0
}

// boundOf sets a bound to the witness' own number. So both bounds of one field do not
// exclude each other.
func boundOf(field string, set func(*search.Filter, *float64)) func(*rapid.T, *ask, record) bool {
	return func(_ *rapid.T, a *ask, w record) bool {
		n, ok := w.number(field)
		if ok {
			set(&a.query.Filter, &n)
		}
		return ok
	}
}

func flagOf(field string, set func(*search.Filter, *bool)) func(*rapid.T, *ask, record) bool {
	return func(_ *rapid.T, a *ask, w record) bool {
		value := w.flag(field)
		set(&a.query.Filter, &value)
		return true
	}
}

// dateOf sets a bound to the witness' own date or one close to it.
func dateOf(set func(*search.Filter, int64)) func(*rapid.T, *ask, record) bool {
	return func(t *rapid.T, a *ask, w record) bool {
		f := &a.query.Filter
		if f.From.IsZero() && f.To.IsZero() {
			f.DateField = evenly(append(search.DateFields(), "")).Draw(t, "dateField")
		}
		ms, ok := w.values[dateFieldOf(*f)].(int64)
		if !ok {
			return false
		}
		set(f, ms+rapid.Int64Range(-1, 1).Draw(t, "milliseconds off"))
		return true
	}
}

// narrowByKeyword takes parts of the witness' searched fields, the seam of two of
// them, or a short text that may occur nowhere, and writes them in another form.
func narrowByKeyword(t *rapid.T, a *ask, w record) bool {
	var words []string
	for range evenly([]int{1, 1, 2, 3}).Draw(t, "words") {
		kind := evenly([]string{"part", "part", "part", "seam", "scrap"}).Draw(t, "word")
		words = append(words, map[string]func(*rapid.T, record) string{"part": part, "seam": seam, "scrap": scrap}[kind](t, w))
	}
	return askKeyword(a, spellings()[below(len(spellings())).Draw(t, "spelling")](strings.Join(words, " ")))
}

func part(t *rapid.T, w record) string {
	text := []rune(w.text(evenly(searched[:]).Draw(t, "field")))
	if len(text) == 0 {
		return ""
	}
	from := rapid.IntRange(0, len(text)-1).Draw(t, "from")
	return string(text[from:][:rapid.IntRange(1, len(text)-from).Draw(t, "length")])
}

// seam returns the end of one field joined with the start of the next one.
func seam(t *rapid.T, w record) string {
	i := 1 + below(3).Draw(t, "seam")
	end, start := []rune(w.text(searched[i-1])), []rune(w.text(searched[i]))
	return string(end[max(0, len(end)-2):]) + string(start[:min(2, len(start))])
}

func scrap(t *rapid.T, _ record) string { return rapid.OneOf(genScraps, genPhones).Draw(t, "scrap") }

// narrowByPhone takes some digits of the witness' phone number and writes them in
// one of many forms. The last forms are not phone numbers.
func narrowByPhone(t *rapid.T, a *ask, w record) bool {
	digits := digitsOf(w.text("whatsappPhone"))
	if len(digits) < 3 {
		return false
	}
	from, to := 0, len(digits)
	if evenly([]bool{false, false, true}).Draw(t, "part") {
		from = evenly([]int{0, 1, len(digits) - 3}).Draw(t, "from")
		to = evenly([]int{len(digits), min(from+3, len(digits)), min(from+5, len(digits))}).Draw(t, "to")
	}
	digits = digits[from:to]
	return askKeyword(a, evenly([]string{
		digits, "+" + digits, digits[:1] + " (" + digits[1:2] + ") " + digits[2:], digits[:2] + "-" + digits[2:],
		"8" + digits[1:], "8 " + digits[1:], digits[:2] + "\u2011" + digits[2:], "\u202a" + digits + "\u202c",
		strings.Map(func(r rune) rune { return r - '0' + '\u0660' }, digits),
		"00" + digits, "0" + digits, "0" + digits[2:], "+" + digits[:2] + " (0) " + digits[2:], "00" + digits[:2] + "(0)" + digits[2:],
		"tel:+" + digits, "7" + digits[1:], digits[:2] + "/" + digits[2:], digits[:2] + "\u30fc" + digits[2:],
		digits[:2] + "," + digits[2:], "x " + digits, digits[:2] + "*",
	}).Draw(t, "phone"))
}

func askKeyword(a *ask, text string) bool {
	if utf8.RuneCountInString(text) > keyword.MaxLen || len(readKeyword(text).words) == 0 {
		return false
	}
	a.keyword = text
	return true
}

func spellings() []func(string) string {
	return []func(string) string{
		strings.Clone,
		strings.ToUpper,
		strings.NewReplacer("ё", "е", "é", "e\u0301", "й", "и\u0306").Replace,
		strings.NewReplacer("е", "ё", "e\u0301", "é", "1", "\uff11", "-", "\u2011").Replace,
		func(text string) string { return "\u200f" + strings.ReplaceAll(text, " ", "\u00a0") + "\u200e" },
	}
}

// genOrder draws one to three sort keys, and perhaps a descending id.
func genOrder(t *rapid.T) []search.SortKey {
	var order []search.SortKey
	for _, name := range rapid.SliceOfNDistinct(evenly(sortNames()), 1, 3, rapid.ID[string]).Draw(t, "sort") {
		if name != "id" {
			order = append(order, search.SortKey{Field: name, Desc: genFlags.Draw(t, "desc")})
		}
	}
	return append(order, search.SortKey{Field: "id", Desc: evenly([]bool{false, false, false, true}).Draw(t, "id desc")})
}

func sortNames() []string {
	var names []string
	for _, f := range sortable() {
		names = append(names, f.Name)
	}
	return names
}

func genFields(t *rapid.T) session.FieldSet {
	if genFlags.Draw(t, "all fields") {
		return session.AllFields()
	}
	var set session.FieldSet
	for range rapid.IntRange(1, 4).Draw(t, "fields") {
		set = set.With(below(session.FieldCount()).Draw(t, "field"))
	}
	return set
}
