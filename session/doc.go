// Package session defines a chat session: the catalogue of its fields (Field,
// FieldSet), one session in wire form (Document, Parse, Complete), functions that
// extract parts of it (Project, Values), and the changes that an engine stores
// (Change, Writer).
//
// It depends on tenancy, for companies and grants, which are changed like sessions,
// and on search/keyword, for the length limit of searched text. It contains nothing
// about searches: no filter, no order, no scope.
package session
