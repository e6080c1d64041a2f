// Package elastic is the engine on Elasticsearch: a search.Searcher and
// session.Writer, which is also the tenancy.Source of the companies and grants
// kept there.
//
// It owns the indices (mapping, analysis, names), the queries and the way in
// and out of them. The rules of matching, folding, wire form and positions are
// those of package search; the tenant scope comes from package tenancy and is
// the first clause of every query over sessions. It depends on no cache, no
// HTTP framework and no OpenTelemetry SDK.
//
// Sessions, companies and grants each have an index of their own, numbered, and
// reached by two aliases only: one to read, one to write. Elasticsearch derives
// all that is searched from the document itself, folded text, digits of phones
// and tags included, so that other producers may write plain documents by the
// write alias. Such a document must have id (which is its _id too) and companyId.
// Whatever else it leaves out, or writes in another form, is completed when it is
// read; what a row then shows is what the index knows. A document of which that
// cannot be so, as one with several values where there is one, is no session: it
// is in no answer, and Store.Faulty counts it. One with unknown fields or other
// dates than those of RFC 3339 is refused.
//
// What lies deep, pages past what one search can reach and snapshots, is read on a
// point in time, by position. The way to a deep page leaves anchors: positions and
// how many rows came up to them. Of an anchor only the position is relied on; how
// many rows stand before it is counted anew for each page, on that page's own
// point in time. So no write has to make anchors invalid, and none makes a page
// wrong. A snapshot without an order comes by id, within bounds that a sample of
// the ids gives: as fast as in no order, and it can be gone on with behind any id.
//
// Limits, where the embedded engine has none: strings of status, chatId,
// botStatus, operatorId, operatorName and single tags over 8,191 characters are
// stored and returned, but neither found nor sorted by. A batch of changes is not
// written as all or none.
package elastic
