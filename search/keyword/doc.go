// Package keyword says what a keyword matches: the rules by which text is folded,
// the table that holds them, and how a keyword is split into words and phones.
// Engines, and the naive scan of searchtest, take both from here, so that all find
// the same sessions.
//
// It depends on no other package of the project.
package keyword
