package elastic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/scopegate/scopegate/tenancy"
)

// maxTerms is the number of companies that one clause of a scope can hold. It is a
// setting of the index; the default of 65,536 is too small.
const maxTerms = 200_000

// scoped returns the query of all sessions of a scope that meet the conditions, as
// JSON, in filter context. The scope comes first. Unfit documents are excluded;
// that costs nothing in an index without any.
//
// SECURITY: this is the only place where a query over sessions is made, and it
// panics without a scope: a search can't be built unscoped.
func scoped(scope tenancy.Scope, conditions []clause) (json.RawMessage, error) {
	if scope.IsEmpty() {
		panic("elastic: query without a tenant scope")
	}
	rest, err := json.Marshal(conditions)
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: query: %w", err)
	}
	const perCompany = len("2147483647,")
	var b bytes.Buffer
	b.Grow(min(scope.Len(), maxTerms)*perCompany + len(rest) + 200)
	b.WriteString(`{"bool":{"filter":[`)
	writeScope(&b, scope, maxTerms)
	if len(conditions) > 0 {
		b.WriteByte(',')
		b.Write(rest[1 : len(rest)-1]) // without the brackets of the list
	}
	b.WriteString(`],"must_not":[{"exists":{"field":"` + faultsField + `"}}]}}`)
	return b.Bytes(), nil
}

// writeScope writes the companies, ascending, as one condition: a list, or several
// lists of which one must match when they are too many for one.
func writeScope(b *bytes.Buffer, scope tenancy.Scope, perList int) {
	several := scope.Len() > perList
	if several {
		b.WriteString(`{"bool":{"should":[`)
	}
	digits := make([]byte, 0, 10)
	n := 0
	for id := range scope.Companies() {
		switch {
		case n == 0:
			b.WriteString(`{"terms":{"companyId":[`)
		case n%perList == 0:
			b.WriteString(`]}},{"terms":{"companyId":[`)
		default:
			b.WriteByte(',')
		}
		digits = strconv.AppendUint(digits[:0], uint64(id), 10)
		b.Write(digits)
		n++
	}
	b.WriteString(`]}}`)
	if several {
		b.WriteString(`]}}`)
	}
}
