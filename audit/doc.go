// Package audit writes the record of who changed or exported what: one JSON object
// per line, appended to a file that is never rewritten.
//
// Unlike the log, it names accounts, by issuer and subject. It contains no data of
// sessions. The callers choose the names of actions and their details. The package
// defines the form of a line, and guarantees that it is on disk when Write returns.
// It does not write through a symbolic link.
package audit
