package isolation_test

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

func (q inquiry) summedByURL() asked {
	a := q.byURL()
	a.target = strings.Replace(a.target, "/sessions?", "/sessions/summary?", 1)
	return a
}

func (q inquiry) summedByBody() asked {
	a := q.byBody()
	a.target = "/api/v1/sessions/summary"
	return a
}

// summedUpFor is what the model answers to who asks for a summary.
func (q inquiry) summedUpFor(m *tenants, c caller) outcome {
	scope, refusal := q.scopeOf(m, c)
	if refusal != nil {
		return *refusal
	}
	found, _ := q.find(m, scope)
	return outcome{status: http.StatusOK, scope: scope, parts: []string{"summary"}, body: summaryOf(found)}
}

// summaryOf is the body for sessions that were all created within one hour.
func summaryOf(found []canarySession) string {
	var buckets string
	if len(found) > 0 {
		hour := time.UnixMilli(firstStart).UTC().Truncate(time.Hour)
		buckets = fmt.Sprintf(`{"from":%q,"to":%q,"count":%d}`, wireDate(hour.UnixMilli()), wireDate(hour.Add(time.Hour).UnixMilli()-1), len(found))
	}
	text := func(field string) string {
		return axisOf(found, func(s canarySession) string { return s.values[field] }, strings.Compare, func(value string) string {
			return `"value":` + value
		})
	}
	companies := axisOf(found, func(s canarySession) tenancy.CompanyID { return s.company }, cmp.Compare, func(id tenancy.CompanyID) string {
		return fmt.Sprintf(`"id":%d,"name":%q`, id, companyName(id))
	})
	return fmt.Sprintf(`{"count":%d,"histogram":{"dateField":"createdAt","interval":"hour","timezone":0,"buckets":[%s],"withoutDate":0},`+
		`"companies":%s,"messengerTypes":%s,"operatorTypes":%s,"statuses":%s}`,
		len(found), buckets, companies, text("messengerType"), text("operatorType"), text("status"))
}

// axisOf counts by a value and tells the largest.
func axisOf[V comparable](found []canarySession, of func(canarySession) V, compare func(a, b V) int, describe func(V) string) string {
	counts := map[V]int{}
	var values []V
	for _, s := range found {
		if counts[of(s)]++; counts[of(s)] == 1 {
			values = append(values, of(s))
		}
	}
	slices.SortFunc(values, func(a, b V) int { return cmp.Or(counts[b]-counts[a], compare(a, b)) })
	var top []string
	others, rest := 0, 0
	for i, value := range values {
		if i >= search.DefaultTop {
			others, rest = others+1, rest+counts[value]
			continue
		}
		top = append(top, fmt.Sprintf(`{%s,"count":%d}`, describe(value), counts[value]))
	}
	return fmt.Sprintf(`{"top":[%s],"other":{"values":%d,"count":%d}}`, strings.Join(top, ","), others, rest)
}
