package directory

import (
	"strings"
	"testing"

	"github.com/scopegate/scopegate/tenancy"
)

func TestADeepTreeIsIndentedOnlySoFarAndNamesAreQuoted(t *testing.T) {
	var records tenancy.Records
	for id := tenancy.CompanyID(1); id <= 200; id++ {
		records.Companies = append(records.Companies, tenancy.Company{ID: id, Name: "\x1b[2J\n", ParentID: id - 1})
	}
	out := OverviewOf(tenancy.Outline(records), records).Text()
	if lines := strings.Split(out, "\n"); len(lines) != 202 || !strings.HasPrefix(lines[200], strings.Repeat("  ", deepest)+"200 ") {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-2])
	}
	if strings.Contains(out, "\x1b") {
		t.Error("a name reaches the terminal as it is")
	}
}
