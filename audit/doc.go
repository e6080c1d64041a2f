// Package audit keeps the record of who changed or took out what: one JSON
// object a line, appended to a file that is never rewritten.
//
// Unlike the log, it names accounts, by issuer and subject. It holds nothing of
// sessions. What an action is called and which details it has is for those who
// write; the form of a line and that it is on disk when Write returns is its
// own. A symbolic link is not written through.
package audit
