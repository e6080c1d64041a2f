// Package session says what a chat session is: the catalogue of its fields
// (Field, FieldSet), one session in wire form (Document, Parse, Complete), what is
// cut out of it (Project, Values), and the changes that an engine stores (Change,
// Writer).
//
// It depends on tenancy, for companies and grants, which are changed like sessions,
// and on search/keyword, for how long a searched text may be. It does not know what
// a search is: no filter, no order, no scope.
package session
