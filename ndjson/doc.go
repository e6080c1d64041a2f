// Package ndjson distinguishes a text of one JSON object per line from other
// formats that are confused with it. So the whole input can be refused with the
// name of its format, instead of each of its lines.
//
// It decodes nothing: the reader decides whether a line is valid.
package ndjson
