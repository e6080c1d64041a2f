// Package ndjson tells a text of one JSON object a line from the other formats
// that are taken for one by mistake, so that the whole input is refused with a
// word on what it is, instead of each of its lines.
//
// It decodes nothing: whether a line is good is its reader's to say.
package ndjson
