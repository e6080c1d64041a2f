package searchtest

import (
	"slices"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

func summaryMutants() []mutant {
	summed := func(name string, change func(*search.SummaryQuery)) mutant {
		return mutant{"summary: " + name, "summary", hooks{summed: func(q search.SummaryQuery) search.SummaryQuery { change(&q); return q }}}
	}
	sums := func(name, topic string, change func(search.SummaryQuery, *search.Summary)) mutant {
		return mutant{"summary: " + name, topic, hooks{sums: func(q search.SummaryQuery, s search.Summary) search.Summary {
			s.Companies.Top, s.Histogram.Buckets = slices.Clone(s.Companies.Top), slices.Clone(s.Histogram.Buckets)
			change(q, &s)
			return s
		}}}
	}
	facet := func(name string, change func(*search.SummaryQuery)) mutant {
		m := summed(name, change)
		m.topic = "facet"
		return m
	}
	named := func(name string, change func(*search.Operator)) mutant {
		return sums(name, "facet", func(_ search.SummaryQuery, s *search.Summary) {
			s.Operators.Top = slices.Clone(s.Operators.Top)
			for i := range s.Operators.Top {
				change(&s.Operators.Top[i].Value)
			}
		})
	}
	return []mutant{
		summed("the time zone is ignored", func(q *search.SummaryQuery) { q.Zone = search.Zone{} }),
		summed("the time zone is west", func(q *search.SummaryQuery) { q.Zone.Minutes = -q.Zone.Minutes }),
		summed("the time zone has whole hours", func(q *search.SummaryQuery) { q.Zone.Minutes -= q.Zone.Minutes % 60 }),
		summed("it is always winter", func(q *search.SummaryQuery) {
			if q.Zone.Name != "" {
				_, seconds := time.Date(2024, time.January, 1, 0, 0, 0, 0, q.Zone.Location()).Zone()
				q.Zone = search.Zone{Minutes: seconds / 60}
			}
		}),
		summed("nothing is filled", func(q *search.SummaryQuery) { q.Fill = false }),
		facet("every facet has its own filter", func(q *search.SummaryQuery) { q.ExceptOwn = false }),
		facet("fifty values are listed", func(q *search.SummaryQuery) { q.Top = 0 }),
		facet("the default facets are counted", func(q *search.SummaryQuery) { q.Facets = nil }),
		named("an operator is named by its id", func(v *search.Operator) { v.Name = v.ID }),
		named("names are forgotten", func(v *search.Operator) { v.Name = search.Label{None: true} }),
		summed("always by day", func(q *search.SummaryQuery) { q.Interval = search.IntervalDay }),
		summed("the filter is ignored", func(q *search.SummaryQuery) { q.Filter = search.Filter{DateField: q.Filter.DateField} }),
		summed("always of the creation", func(q *search.SummaryQuery) { q.Filter.DateField = "" }),
		sums("weeks begin on Sunday", "summary", func(_ search.SummaryQuery, s *search.Summary) {
			for i := range s.Histogram.Buckets {
				if s.Histogram.Interval == search.IntervalWeek {
					s.Histogram.Buckets[i].From -= 86_400_000
					s.Histogram.Buckets[i].To -= 86_400_000
				}
			}
		}),
		sums("empty buckets are left out", "summary", func(_ search.SummaryQuery, s *search.Summary) {
			s.Histogram.Buckets = slices.DeleteFunc(s.Histogram.Buckets, func(b search.Bucket) bool { return b.Count == 0 })
		}),
		sums("the last value of the rest is forgotten", "wide", func(_ search.SummaryQuery, s *search.Summary) {
			s.Statuses.Rest.Values = max(0, s.Statuses.Rest.Values-1)
		}),
		sums("none comes first", "summary", func(_ search.SummaryQuery, s *search.Summary) {
			slices.SortStableFunc(s.Statuses.Top, func(a, b search.Share[search.Label]) int {
				switch {
				case a.Value.None == b.Value.None:
					return 0
				case a.Value.None:
					return -1
				}
				return 1
			})
		}),
		sums("as a shard that sends its 1,000 largest terms", "wide", func(_ search.SummaryQuery, s *search.Summary) {
			if n := int64(len(s.Companies.Top)) + s.Companies.Rest.Values; n > 1000 {
				s.Companies.Top[len(s.Companies.Top)-1].Count--
			}
		}),
		{"summary: the scope is ignored", "summary", hooks{contains: func(tenancy.Scope, tenancy.CompanyID) bool { return true }}},
	}
}
