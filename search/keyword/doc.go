// Package keyword defines what a keyword matches: the rules and the table for
// folding text, and how a keyword is split into words and phone numbers. The
// engines and the naive scan of searchtest use this package, so that all find the
// same sessions.
//
// It depends on no other package of the project.
package keyword
