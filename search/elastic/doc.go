// Package elastic is the engine on Elasticsearch: a search.Searcher and
// session.Writer, which is also the tenancy.Source of the companies and grants
// stored there.
//
// It owns the indices (mapping, analysis, names), the queries, and the conversion
// of requests and answers. The rules of matching, folding, wire form and positions
// are those of package search. The tenant scope comes from package tenancy and is
// the first clause of every query over sessions. The package depends on no cache,
// no HTTP framework and no OpenTelemetry SDK.
//
// Sessions, companies and grants each have an index of their own. It is numbered
// and used only through two aliases: one to read, one to write. Elasticsearch
// derives everything that is searched from the document itself, including folded
// text, digits of phone numbers and tags, so other producers may write plain
// documents through the write alias. Such a document must have id (the same as its
// _id) and companyId. Other fields that are missing or have another form are
// completed when the document is read; the row then shows the same values as the
// index has. A document for which that is impossible, such as one with several
// values for a single field, is unfit: it is in no answer, and Store.Faulty counts
// it. A document with unknown fields, or with dates that are not RFC 3339, is
// refused.
//
// Deep pages, which one search cannot reach, and snapshots are read on a point in
// time, by position. The way to a deep page leaves anchors: positions, each with
// the number of rows up to it. Only the position of an anchor is trusted; the
// number of rows before it is counted again for each page, on that page's own point
// in time. So no write has to invalidate anchors, and no write makes a page wrong.
// A snapshot without an order is read by id, in ranges whose bounds come from a
// sample of the ids: this is as fast as reading in no order, and reading can resume
// after any id.
//
// Limits that the embedded engine does not have: strings of status, chatId,
// botStatus, operatorId, operatorName and single tags over 8,191 characters are
// stored and returned, but neither found nor sorted by. A batch of changes is not
// atomic.
package elastic
