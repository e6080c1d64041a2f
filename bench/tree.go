package main

import (
	"bufio"
	"fmt"
	"strconv"
)

// The companies: one at the top, districts below it, sites below a district.
// District and sites are districtSize companies, so that scopes of any hundred
// can be put together of districts.
const (
	districts    = 200 // as many as `scopegate seed` makes companies
	districtSize = 100
	rootCompany  = 100_000
)

// companyCount is how many companies sessions are spread over: all but the one
// at the top.
const companyCount = districts * districtSize

// companyID is the id of the member-th company of a district, 0 being the
// district itself.
func companyID(district, member int) int {
	return rootCompany + 1 + district*districtSize + member
}

// writeCompanies writes the tree as import lines, parents first.
func writeCompanies(w *bufio.Writer) error {
	line := func(id int, parent string) {
		// bufio keeps the first error for Flush.
		_, _ = fmt.Fprintf(w, `{"type":"company","op":"upsert","doc":{"id":%d,"name":%q,"parentId":%s}}`+"\n", id, companyName(id), parent)
	}
	line(rootCompany, "null")
	for district := range districts {
		head := companyID(district, 0)
		line(head, strconv.Itoa(rootCompany))
		for member := 1; member < districtSize; member++ {
			line(companyID(district, member), strconv.Itoa(head))
		}
	}
	return w.Flush()
}

func companyName(id int) string { return fmt.Sprintf("Company %d", id) }
