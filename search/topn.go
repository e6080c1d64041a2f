package search

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// TopN ranks values by their number of sessions. It keeps about twice as many
// values as its axis lists, so that an engine may add any number of them.
type TopN[V any] struct {
	listed  int // values that the axis lists
	compare func(a, b V) int
	axis    Axis[V]
}

// TopCompanies ranks the companies of a summary.
func TopCompanies(q SummaryQuery) *TopN[tenancy.CompanyID] {
	return &TopN[tenancy.CompanyID]{listed: q.Listed(FacetCompanies), compare: cmp.Compare[tenancy.CompanyID]}
}

// Add adds all sessions of a value. A value must be added once only.
func (t *TopN[V]) Add(value V, sessions int64) {
	if sessions == 0 {
		return
	}
	t.axis.Top = append(t.axis.Top, Share[V]{value, sessions})
	if len(t.axis.Top) > 2*t.listed {
		t.cut()
	}
}

// cut sorts the values and moves those that are not listed to the rest.
func (t *TopN[V]) cut() {
	slices.SortFunc(t.axis.Top, t.before)
	listed := min(t.listed, len(t.axis.Top))
	for _, share := range t.axis.Top[listed:] {
		t.axis.Rest.Values++
		t.axis.Rest.Count += share.Count
	}
	t.axis.Top = slices.Delete(t.axis.Top, listed, len(t.axis.Top))
}

func (t *TopN[V]) before(a, b Share[V]) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), t.compare(a.Value, b.Value))
}

// Axis returns the result.
func (t *TopN[V]) Axis() Axis[V] {
	t.cut()
	return t.axis
}

// TopTexts ranks texts, and counts sessions without a text.
type TopTexts struct {
	none    Label // the label of sessions without a value
	without int64
	top     TopN[Label]
}

// NewTopTexts ranks the values of a facet. Sessions without a value count under a
// label of their own, or as OperatorNone.
func NewTopTexts(q SummaryQuery, f Facet) *TopTexts {
	none := Label{None: true}
	if f == FacetOperatorTypes {
		none = Label{Text: session.OperatorNone}
	}
	return &TopTexts{none: none, top: TopN[Label]{listed: q.Listed(f), compare: compareLabels}}
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
	if label == t.none || !IsSummaryText(text) {
		t.AddMissing(sessions)
		return
	}
	t.top.Add(label, sessions)
}

// IsSummaryText reports whether the text is short enough to be listed.
func IsSummaryText(text string) bool {
	return len(text) <= MaxSummaryText || utf8.RuneCountInString(text) <= MaxSummaryText
}

// AddMissing adds sessions without a value. It may be called repeatedly.
func (t *TopTexts) AddMissing(sessions int64) { t.without += sessions }

// Axis returns the result. Nothing may be added afterwards.
func (t *TopTexts) Axis() Axis[Label] {
	t.top.Add(t.none, t.without)
	return t.top.Axis()
}
