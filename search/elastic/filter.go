package elastic

import (
	"unicode/utf8"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
)

// conditions returns the conditions of the filter; all of them must hold.
func conditions(f search.Filter) []clause {
	b := conditionList{}
	b.equal("id", f.SessionID)
	b.equal("chatId", f.ChatID)
	b.equal("botStatus", f.BotStatus)
	b.equal("name", f.Name)
	b.anyOf("messengerType", f.MessengerTypes)
	b.anyOf("status", f.Status)
	b.anyOf("operatorId", f.OperatorIDs)
	b.anyOf("tags", f.Tags)
	b.dates(f)
	if f.MinMessageCount > 0 {
		b.add(within(sumField, clause{"gte": f.MinMessageCount}))
	}
	if f.OnlyClientMessages {
		b.add(within("clientMessageCount", clause{"gt": 0}),
			not(within("operatorMessageCount", clause{"gt": 0}), within("botMessageCount", clause{"gt": 0})))
	}
	b.operatorType(f.OperatorType)
	b.flag("markedAsSpam", f.MarkedAsSpam)
	b.flag("clientBanned", f.ClientBanned)
	if !f.Keyword.IsZero() {
		b.add(keywordCondition(f.Keyword))
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
		b.add(clause{"terms": clause{field: values}})
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

func (b *conditionList) operatorType(value string) {
	switch value {
	case "":
	case session.OperatorNone:
		b.add(anyClause(term("operatorType", value), not(clause{"exists": clause{"field": "operatorType"}})))
	default:
		b.add(term("operatorType", value))
	}
}

// flag adds a condition on a boolean; false also matches sessions without a value.
func (b *conditionList) flag(field string, value *bool) {
	switch {
	case value == nil:
	case *value:
		b.add(term(field, true))
	default:
		b.add(not(term(field, true)))
	}
}

// keywordCondition is the keyword's rule: every word is in one of the fields, or
// one of the phones is in the digits of the phone number.
func keywordCondition(k keyword.Keyword) clause {
	var words []clause
	for _, word := range k.Words() {
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

func term(field string, value any) clause { return clause{"term": clause{field: value}} }

func within(field string, bounds clause) clause { return clause{"range": clause{field: bounds}} }

func not(conditions ...clause) clause { return clause{"bool": clause{"must_not": conditions}} }

func anyClause(conditions ...clause) clause { return clause{"bool": clause{"should": conditions}} }
