package search

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Facet is a property by which a summary counts sessions.
type Facet string

// The facets of the contract.
const (
	FacetCompanies      Facet = "companies"
	FacetMessengerTypes Facet = "messengerTypes"
	FacetOperatorTypes  Facet = "operatorTypes" // a session without a value is NONE
	FacetStatuses       Facet = "statuses"
	FacetBotStatuses    Facet = "botStatuses"
	FacetOperators      Facet = "operators" // by operatorId
	FacetTags           Facet = "tags"      // single, trimmed tags; a session counts for each of its tags
)

// Facets lists the facets of the contract, in its order.
func Facets() []Facet {
	return []Facet{
		FacetCompanies, FacetMessengerTypes, FacetOperatorTypes, FacetStatuses, FacetBotStatuses, FacetOperators, FacetTags,
	}
}

// DefaultFacets lists the facets of a summary whose caller names none.
func DefaultFacets() []Facet { return Facets()[:4] }

// Field returns the session's field that the facet counts by.
func (f Facet) Field() string {
	switch f {
	case FacetCompanies:
		return "companyId"
	case FacetMessengerTypes:
		return "messengerType"
	case FacetOperatorTypes:
		return "operatorType"
	case FacetStatuses:
		return "status"
	case FacetBotStatuses:
		return "botStatus"
	case FacetOperators:
		return "operatorId"
	}
	return "tags"
}

// withoutOwn returns the filter without its conditions on the facet's own field: any
// of some values, and none of some.
func (f Filter) withoutOwn(facet Facet) Filter {
	switch facet {
	case FacetCompanies: // companies are no part of a filter
	case FacetMessengerTypes:
		f.MessengerTypes, f.MessengerTypesNot = nil, nil
	case FacetOperatorTypes:
		f.OperatorTypes = nil
	case FacetStatuses:
		f.Status, f.StatusNot = nil, nil
	case FacetBotStatuses:
		f.BotStatus = ""
	case FacetOperators:
		f.OperatorIDs, f.OperatorIDsNot = nil, nil
	case FacetTags:
		f.Tags, f.TagsNot = nil, nil
	}
	return f
}

// SummaryPart is a part of a summary: what is counted under one filter.
type SummaryPart struct {
	Filter Filter
	Facets []Facet
	// Whole marks the part with the filter of the query. It also has the count and
	// the histogram.
	Whole bool
}

// Parts splits the query by filters: the whole query first, then, with ExceptOwn,
// each facet that is counted without the filter on its own field. Together they
// have each facet of the query once.
func (q SummaryQuery) Parts() []SummaryPart {
	parts := []SummaryPart{{Filter: q.Filter, Whole: true}}
	for _, facet := range q.CountedFacets() {
		if q.countsBeyond(facet) {
			parts = append(parts, SummaryPart{Filter: q.Filter.withoutOwn(facet), Facets: []Facet{facet}})
		} else {
			parts[0].Facets = append(parts[0].Facets, facet)
		}
	}
	return parts
}

// CountedFacets returns the facets of the query, each once, in the contract's order.
func (q SummaryQuery) CountedFacets() []Facet {
	if q.Facets == nil {
		return DefaultFacets()
	}
	return slices.DeleteFunc(Facets(), func(f Facet) bool { return !slices.Contains(q.Facets, f) })
}

// countsBeyond reports whether a facet is counted under another filter than that of
// the query.
func (q SummaryQuery) countsBeyond(facet Facet) bool {
	own := func(f Filter) string { return string(f.appendKey(nil)) }
	return q.ExceptOwn && own(q.Filter) != own(q.Filter.withoutOwn(facet))
}

// Listed returns the number of values that a facet lists at most.
func (q SummaryQuery) Listed(facet Facet) int {
	switch {
	case facet == FacetCompanies && q.AllCompanies:
		return MaxAllCompanies
	case q.Top == 0:
		return DefaultTop
	}
	return q.Top
}

// OperatorAxis makes the axis of the operators from that of their ids. The names
// are still to be found.
func OperatorAxis(ids Axis[Label]) Axis[Operator] {
	axis := Axis[Operator]{Rest: ids.Rest}
	for _, share := range ids.Top {
		value := Operator{ID: share.Value, Name: Label{None: true}}
		axis.Top = append(axis.Top, Share[Operator]{Value: value, Count: share.Count})
	}
	return axis
}

// OperatorName reads operatorName from the JSON of a session.
func OperatorName(session []byte) (Label, error) {
	var item struct {
		Name *string `json:"operatorName"`
	}
	if err := json.Unmarshal(session, &item); err != nil {
		return Label{}, fmt.Errorf("operatorName: %w", err)
	}
	if item.Name == nil {
		return Label{None: true}, nil
	}
	return Label{Text: *item.Name}, nil
}
