package search

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Tally ranks values by their sessions. It holds no more of them than an Axis
// tells, so that an engine may read any number of values into it.
type Tally[V any] struct {
	compare func(a, b V) int
	axis    Axis[V]
}

// CompanyTally ranks companies.
func CompanyTally() *Tally[tenancy.CompanyID] {
	return &Tally[tenancy.CompanyID]{compare: cmp.Compare[tenancy.CompanyID]}
}

// Add takes in all sessions of a value, which must not come twice.
func (t *Tally[V]) Add(value V, sessions int64) {
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

func (t *Tally[V]) before(a, b Share[V]) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), t.compare(a.Value, b.Value))
}

// Axis is what was added.
func (t *Tally[V]) Axis() Axis[V] { return t.axis }

// TextTally ranks texts, among which there may be none.
type TextTally struct {
	none    Label // what a session without a value counts as
	without int64
	tally   Tally[Label]
}

// LabelTally counts sessions without a value by themselves.
func LabelTally() *TextTally { return textTally(Label{None: true}) }

// OperatorTally counts sessions without a value as OperatorNone.
func OperatorTally() *TextTally { return textTally(Label{Text: session.OperatorNone}) }

func textTally(none Label) *TextTally {
	return &TextTally{none: none, tally: Tally[Label]{compare: compareLabels}}
}

// compareLabels has none come last.
func compareLabels(a, b Label) int {
	if a.None != b.None {
		if a.None {
			return 1
		}
		return -1
	}
	return strings.Compare(a.Text, b.Text)
}

// Add takes in all sessions of a text, which must not come twice.
func (t *TextTally) Add(text string, sessions int64) {
	label := Label{Text: text}
	if label == t.none || utf8.RuneCountInString(text) > MaxSummaryText {
		t.AddNone(sessions)
		return
	}
	t.tally.Add(label, sessions)
}

// AddNone takes in sessions without a value, as often as there are some.
func (t *TextTally) AddNone(sessions int64) { t.without += sessions }

// Axis is what was added. It ends the tally.
func (t *TextTally) Axis() Axis[Label] {
	t.tally.Add(t.none, t.without)
	return t.tally.Axis()
}
