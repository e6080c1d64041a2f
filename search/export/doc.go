// Package export writes sessions as files: JSON, NDJSON, CSV, CSV for Excel and
// XLSX, each also as the one file of a zip archive.
//
// Rows come in wire form and are never decoded as a whole: NDJSON and JSON take
// their bytes as they are, the tables cut them into values. What is kept does
// not grow with the rows; XLSX, whose parts must be complete before they are
// packed, keeps its sheets in temporary files.
//
// It depends on search alone, and knows neither engines nor HTTP.
package export
