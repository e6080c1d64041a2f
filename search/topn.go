package search

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// TopN ranks values by their number of sessions. It keeps no more values than an
// Axis lists, so that an engine may add any number of them.
type TopN[V any] struct {
	compare func(a, b V) int
	axis    Axis[V]
}

// TopCompanies ranks companies.
func TopCompanies() *TopN[tenancy.CompanyID] {
	return &TopN[tenancy.CompanyID]{compare: cmp.Compare[tenancy.CompanyID]}
}

// Add adds all sessions of a value. A value must be added once only.
func (t *TopN[V]) Add(value V, sessions int64) {
	if sessions == 0 {
		return
	}
	share := Share[V]{value, sessions}
	at, _ := slices.BinarySearchFunc(t.axis.Top, share, t.before)
	if at < MaxTop {
		t.axis.Top = slices.Insert(t.axis.Top, at, share)
		if len(t.axis.Top) <= MaxTop {
			return
		}
		share, t.axis.Top = t.axis.Top[MaxTop], t.axis.Top[:MaxTop]
	}
	t.axis.Rest.Values++
	t.axis.Rest.Count += share.Count
}

func (t *TopN[V]) before(a, b Share[V]) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), t.compare(a.Value, b.Value))
}

// Axis returns the result.
func (t *TopN[V]) Axis() Axis[V] { return t.axis }

// TopTexts ranks texts, and counts sessions without a text.
type TopTexts struct {
	none    Label // the label of sessions without a value
	without int64
	top     TopN[Label]
}

// TopLabels counts sessions without a value under a label of their own.
func TopLabels() *TopTexts { return newTopTexts(Label{None: true}) }

// TopOperatorTypes counts sessions without a value as OperatorNone.
func TopOperatorTypes() *TopTexts { return newTopTexts(Label{Text: session.OperatorNone}) }

func newTopTexts(none Label) *TopTexts {
	return &TopTexts{none: none, top: TopN[Label]{compare: compareLabels}}
}

// compareLabels orders the label for a missing value last.
func compareLabels(a, b Label) int {
	if a.None != b.None {
		if a.None {
			return 1
		}
		return -1
	}
	return strings.Compare(a.Text, b.Text)
}

// Add adds all sessions of a text. A text must be added once only.
func (t *TopTexts) Add(text string, sessions int64) {
	label := Label{Text: text}
	if label == t.none || utf8.RuneCountInString(text) > MaxSummaryText {
		t.AddMissing(sessions)
		return
	}
	t.top.Add(label, sessions)
}

// AddMissing adds sessions without a value. It may be called repeatedly.
func (t *TopTexts) AddMissing(sessions int64) { t.without += sessions }

// Axis returns the result. Nothing may be added afterwards.
func (t *TopTexts) Axis() Axis[Label] {
	t.top.Add(t.none, t.without)
	return t.top.Axis()
}
