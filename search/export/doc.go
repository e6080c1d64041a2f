// Package export writes sessions as files: JSON, NDJSON, CSV, CSV for Excel and
// XLSX, each also as the only file of a zip archive.
//
// Rows come in wire form and are never decoded completely: NDJSON and JSON write
// their bytes unchanged, the tables split them into values. Memory does not grow
// with the number of rows. XLSX keeps its sheets in temporary files, since each
// sheet must be complete before it is packed.
//
// It depends on search alone, and knows neither engines nor HTTP.
package export
