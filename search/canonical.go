package search

import (
	"encoding/binary"
	"slices"
	"time"
)

// The first byte of a key tells the kinds apart, the second is the version
// of what follows: raise it when a query gains a condition, so that keys of
// gateways of different age never mean different things.
const (
	countKeyKind = "c\x01"
	pageKeyKind  = "p\x01"

	summaryKeyKind = "s\x01"
)

// CountKey is the canonical form of what the count depends on: equal for
// queries whose filters are equivalent (lists in another order, a default
// written out, the same keyword in other letters), different for all others,
// whatever their sort, fields and page.
//
// It holds what was searched for, names and phones included: hash it before it
// is stored or shown.
func (q Query) CountKey() []byte {
	return q.Filter.appendKey(newKey(countKeyKind))
}

// PageKey is the canonical form of what the page depends on: CountKey's
// conditions, the order, the fields and the place of the page. It does not
// depend on WithoutCount and WithoutItems. It is as confidential as CountKey.
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

// SummaryKey is the canonical form of what the summary depends on: CountKey's
// conditions and the histogram's field, interval and time zone. It is as
// confidential as CountKey.
func (q SummaryQuery) SummaryKey() []byte {
	interval := q.Interval
	if interval == "" {
		interval = IntervalAuto
	}
	return q.Filter.appendKey(keyBuilder(summaryKeyKind)).
		text(string(q.DateField())).text(string(interval)).number(int64(q.Timezone))
}

// appendKey writes every condition, set or not, in a fixed order, each in a
// form that tells its own end: two keys are equal only if every condition is.
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

// BoundedField is the date field that From and To bound, CreatedAt unless
// another is named; "" when neither is set.
func (f Filter) BoundedField() DateField {
	switch {
	case f.From.IsZero() && f.To.IsZero():
		return ""
	case f.DateField == "":
		return CreatedAt
	}
	return f.DateField
}

// keyBuilder appends values that tell their own length, so that no two
// sequences of values come out alike.
type keyBuilder []byte

// usualKey is more than most keys take.
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

// choice is 0 for no condition, else 1 (false) or 2 (true).
func (k keyBuilder) choice(b *bool) keyBuilder {
	if b == nil {
		return append(k, 0)
	}
	return append(k, 1).flag(*b)
}

// set writes an any-of list: order and doubles make no difference.
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

// time keeps the year 1, the zero time, apart from a bound in 1970.
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
