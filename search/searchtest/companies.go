package searchtest

import "github.com/scopegate/scopegate/tenancy"

// Each topic has companies of its own, so that its cases expect short lists, while
// the sessions of the other topics serve as foreign ones.
const (
	filterCo  tenancy.CompanyID = 101
	dateCo    tenancy.CompanyID = 102
	scriptCo  tenancy.CompanyID = 103
	phoneCo   tenancy.CompanyID = 104
	placeCo   tenancy.CompanyID = 105
	lengthCo  tenancy.CompanyID = 106
	friendCo  tenancy.CompanyID = 107
	syntaxCo  tenancy.CompanyID = 108
	sortCo    tenancy.CompanyID = 109
	orderCo   tenancy.CompanyID = 113
	pageCo    tenancy.CompanyID = 110
	fieldCo   tenancy.CompanyID = 111
	pairCo    tenancy.CompanyID = 114
	deepCo    tenancy.CompanyID = 112
	summaryCo tenancy.CompanyID = 120 // and the three after it
	zoneCo    tenancy.CompanyID = 124
	facetCo   tenancy.CompanyID = 125
	newestCo  tenancy.CompanyID = 130 // and the two after it
	twinCo    tenancy.CompanyID = 201 // three companies with the same sessions
	siblingCo tenancy.CompanyID = 20
	cousinCo  tenancy.CompanyID = 2011
	lonelyCo  tenancy.CompanyID = 404       // has no session
	wideCo    tenancy.CompanyID = 1_000_001 // the first of the wide scope
	snapCo    tenancy.CompanyID = 600       // and above: snapshots while others write
	writeCo   tenancy.CompanyID = 500       // and above: the cases that write
	genCo     tenancy.CompanyID = 700       // and above: the generated ones
)
