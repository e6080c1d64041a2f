package elastic

import (
	"math"
	"slices"
	"unicode/utf8"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/session"
)

// conditions returns the conditions of the filter; all of them must hold. by is the
// folding of the index.
func conditions(f search.Filter, by keyword.Folding) []clause {
	b := conditionList{}
	b.equal("id", f.SessionID)
	b.equal("chatId", f.ChatID)
	b.equal("botStatus", f.BotStatus)
	b.equal("clientId", f.ClientID)
	b.equal("name", f.Name)
	b.anyOf("messengerType", f.MessengerTypes)
	b.anyOf("status", f.Status)
	b.anyOf("operatorId", f.OperatorIDs)
	b.anyOf("tags", f.Tags)
	b.noneOf("messengerType", f.MessengerTypesNot)
	b.noneOf("status", f.StatusNot)
	b.noneOf("operatorId", f.OperatorIDsNot)
	b.noneOf("tags", f.TagsNot)
	b.dates(f)
	if f.MinMessageCount > 0 {
		b.add(within(sumField, clause{"gte": f.MinMessageCount}))
	}
	if f.OnlyClientMessages {
		b.add(within("clientMessageCount", clause{"gt": 0}),
			not(within("operatorMessageCount", clause{"gt": 0}), within("botMessageCount", clause{"gt": 0})))
	}
	b.operatorTypes(f.OperatorTypes)
	b.flag("markedAsSpam", f.MarkedAsSpam)
	b.flag("clientBanned", f.ClientBanned)
	b.choice(exists("closedAt"), f.Closed)
	b.flag("isLostSession", f.IsLostSession)
	b.choice(within("unreadClientMessageCount", clause{"gt": 0}), f.HasUnread)
	b.bounds(ratingField, f.RatingMin, f.RatingMax)
	b.wholeBounds("nps", f.NPSMin, f.NPSMax)
	b.wholeBounds("timerFirstAnswer", f.TimerFirstAnswerMin, nil)
	if !f.Keyword.IsZero() {
		b.add(keywordCondition(f.Keyword, by))
	}
	return b
}

type conditionList []clause

func (b *conditionList) add(conditions ...clause) { *b = append(*b, conditions...) }

func (b *conditionList) equal(field, value string) {
	if value != "" {
		b.add(term(field, value))
	}
}

// anyOf matches any of the values. Tags need nothing special: each tag is a term,
// and only tags are terms.
func (b *conditionList) anyOf(field string, values []string) {
	if len(values) > 0 {
		b.add(anyTerm(field, values))
	}
}

// noneOf also matches sessions without a value.
func (b *conditionList) noneOf(field string, values []string) {
	if len(values) > 0 {
		b.add(not(anyTerm(field, values)))
	}
}

func (b *conditionList) dates(f search.Filter) {
	bounds := clause{"format": "epoch_millis"}
	if !f.From.IsZero() {
		bounds["gte"] = session.RoundUpMilli(f.From)
	}
	if !f.To.IsZero() {
		bounds["lte"] = f.To.UnixMilli()
	}
	if field := f.BoundedField(); field != "" {
		b.add(within(string(field), bounds))
	}
}

func (b *conditionList) operatorTypes(values []string) {
	if !slices.Contains(values, session.OperatorNone) {
		b.anyOf("operatorType", values)
		return
	}
	b.add(anyClause(anyTerm("operatorType", values), not(exists("operatorType"))))
}

// flag adds a condition on a boolean; false also matches sessions without a value.
func (b *conditionList) flag(field string, value *bool) { b.choice(term(field, true), value) }

// choice adds the condition or, for false, its opposite.
func (b *conditionList) choice(holds clause, value *bool) {
	switch {
	case value == nil:
	case *value:
		b.add(holds)
	default:
		b.add(not(holds))
	}
}

// bounds adds the inclusive bounds of a number. A session without the number is not
// within them.
func (b *conditionList) bounds(field string, least, most *float64) {
	limits := clause{}
	if least != nil {
		limits["gte"] = *least + 0 // not -0, which Elasticsearch sorts before 0
	}
	if most != nil {
		limits["lte"] = *most + 0
	}
	if len(limits) > 0 {
		b.add(within(field, limits))
	}
}

// wholeBounds are bounds of a field of whole numbers.
func (b *conditionList) wholeBounds(field string, least, most *float64) {
	if least != nil {
		least = new(math.Ceil(*least))
	}
	if most != nil {
		most = new(math.Floor(*most))
	}
	b.bounds(field, least, most)
}

// lackingIn reports whether the filter has a condition on a field that an index of
// this schema stores and does not index.
func lackingIn(step schema.Step, f search.Filter) bool {
	const indexed = 3
	return step.Schema < indexed &&
		(f.IsLostSession != nil || f.HasUnread != nil || f.NPSMin != nil || f.NPSMax != nil || f.TimerFirstAnswerMin != nil)
}

// keywordCondition is the keyword's rule: every word is in one of the fields, or
// one of the phones is in the digits of the phone number.
func keywordCondition(k keyword.Keyword, by keyword.Folding) clause {
	var words []clause
	for _, word := range k.WordsBy(by) {
		words = append(words, wordCondition(word))
	}
	matches := []clause{{"bool": clause{"filter": words}}}
	for _, phone := range k.Phones() {
		matches = append(matches, clause{"match_phrase": clause{phonesField: phone}})
	}
	return anyClause(matches...)
}

// wordCondition matches a word in a field: its trigrams stand next to each other,
// or, for a shorter word, a trigram begins with it. Positions of different fields
// are so far apart that no word matches across two fields.
//
// The number of terms that short words enumerate is limited, however many words
// there are: no word of a keyword is part of another, so each trigram of the index
// begins with at most one word of one character and one of two.
func wordCondition(word string) clause {
	if utf8.RuneCountInString(word) < trigram {
		return clause{"prefix": clause{keywordsField: word}}
	}
	return clause{"match_phrase": clause{keywordsField: word}}
}

func anyTerm(field string, values []string) clause {
	return clause{"terms": clause{field: values}}
}

func exists(field string) clause { return clause{"exists": clause{"field": field}} }

func term(field string, value any) clause { return clause{"term": clause{field: value}} }

func within(field string, bounds clause) clause { return clause{"range": clause{field: bounds}} }

func not(conditions ...clause) clause { return clause{"bool": clause{"must_not": conditions}} }

func anyClause(conditions ...clause) clause { return clause{"bool": clause{"should": conditions}} }
