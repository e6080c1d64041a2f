// Package download fetches an export from a gateway into a file or a stream,
// and knows whether all of it has come.
//
// What makes a transfer whole is three things together: the body came to the
// end that its framing announces, the trailer X-Row-Count stands behind it, and
// it is the number of rows that were counted in what has come. Anything else is
// Incomplete. A file grows as FILE.part and becomes FILE only when it is whole;
// beside it FILE.part.json says what it is the answer to, of which gateway and to
// which account, so that an export that was broken off can go on behind its last
// row and never gets rows of another query, gateway or account.
//
// The files are made before the gateway is asked. What was there already is not
// changed before there is an answer, and never through a link.
//
// It knows HTTP and files, and neither the command line nor the gateway's
// packages.
package download
