package search

import (
	"encoding/binary"
	"slices"
	"time"
)

// The first byte of a key is its kind, the second the version of the rest. Raise
// the version when a query gains a condition: gateways of different versions share
// keys, and one key must never mean two things.
const (
	countKeyKind = "c\x01"
	pageKeyKind  = "p\x01"

	summaryKeyKind = "s\x01"
)

// CountKey is the canonical form of what the count depends on. It is equal for
// queries whose filters are equivalent: lists in another order, a default written
// out, a keyword in another spelling that folds to the same words. It differs for
// all other filters, and does not depend on sort, fields and page.
//
// It contains the search terms, names and phone numbers included: hash it before it
// is stored or shown.
func (q Query) CountKey() []byte {
	return q.Filter.appendKey(newKey(countKeyKind))
}

// PageKey is the canonical form of what the page depends on: the conditions as in
// CountKey, the order, the fields and the place of the page. It does not depend on
// WithoutCount and WithoutItems. It is as confidential as CountKey.
func (q Query) PageKey() []byte {
	k := q.Filter.appendKey(newKey(pageKeyKind))
	keys := NormalizeSort(q.Sort)
	k = k.number(int64(len(keys)))
	for _, key := range keys {
		k = k.text(key.Field).flag(key.Desc)
	}
	for _, word := range q.Fields {
		k = binary.BigEndian.AppendUint64(k, word)
	}
	k = k.number(int64(q.Limit)).number(int64(q.Offset))
	return k.position(q.After)
}

// SummaryKey is the canonical form of what the summary depends on: the conditions
// as in CountKey, and the histogram's field, interval and time zone. It is as
// confidential as CountKey.
func (q SummaryQuery) SummaryKey() []byte {
	interval := q.Interval
	if interval == "" {
		interval = IntervalAuto
	}
	return q.Filter.appendKey(keyBuilder(summaryKeyKind)).
		text(string(q.DateField())).text(string(interval)).number(int64(q.Timezone))
}

// appendKey writes every condition, set or not, in a fixed order. Each is written
// with its length or in a fixed size, so that two keys are equal only if all
// conditions are.
func (f Filter) appendKey(k keyBuilder) keyBuilder {
	words, phones := f.Keyword.Canonical()
	return k.time(f.From).time(f.To).text(string(f.BoundedField())).
		text(f.SessionID).
		text(f.ChatID).
		set(f.MessengerTypes).
		number(max(f.MinMessageCount, 0)).
		flag(f.OnlyClientMessages).
		text(words).text(phones).
		text(f.OperatorType).
		set(f.Status).
		text(f.BotStatus).
		set(f.OperatorIDs).
		text(f.Name).
		set(f.Tags).
		choice(f.MarkedAsSpam).
		choice(f.ClientBanned)
}

// BoundedField returns the date field that From and To bound: CreatedAt unless
// another is named, "" when neither From nor To is set.
func (f Filter) BoundedField() DateField {
	switch {
	case f.From.IsZero() && f.To.IsZero():
		return ""
	case f.DateField == "":
		return CreatedAt
	}
	return f.DateField
}

// keyBuilder appends values with their length, so that different sequences of
// values never give the same bytes.
type keyBuilder []byte

// usualKey is a capacity, in bytes, that is enough for most keys.
const usualKey = 160

func newKey(kind string) keyBuilder { return append(make(keyBuilder, 0, usualKey), kind...) }

func (k keyBuilder) number(n int64) keyBuilder { return binary.AppendVarint(k, n) }

func (k keyBuilder) text(s string) keyBuilder {
	return append(binary.AppendUvarint(k, uint64(len(s))), s...)
}

func (k keyBuilder) flag(set bool) keyBuilder {
	if set {
		return append(k, 1)
	}
	return append(k, 0)
}

// choice writes 0 for no condition, 1 for false and 2 for true.
func (k keyBuilder) choice(b *bool) keyBuilder {
	if b == nil {
		return append(k, 0)
	}
	return append(k, 1).flag(*b)
}

// set writes an any-of list. Order and duplicates make no difference.
func (k keyBuilder) set(list []string) keyBuilder {
	if len(list) > 1 {
		list = slices.Compact(slices.Sorted(slices.Values(list)))
	}
	k = k.number(int64(len(list)))
	for _, s := range list {
		k = k.text(s)
	}
	return k
}

// time distinguishes the zero time (year 1) from a bound in 1970.
func (k keyBuilder) time(t time.Time) keyBuilder {
	if t.IsZero() {
		return append(k, 0)
	}
	return append(k, 1).number(t.Unix()).number(int64(t.Nanosecond()))
}

func (k keyBuilder) position(p *Position) keyBuilder {
	if p == nil {
		return append(k, 0)
	}
	k = append(k, 1).number(int64(len(p.Values)))
	for _, value := range p.Values {
		k = k.text(string(value))
	}
	return k
}
