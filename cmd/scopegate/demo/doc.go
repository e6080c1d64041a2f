// Package demo is what `scopegate demo` needs beyond the product: a development
// identity provider (login, refresh, key set, rotation), generated sessions in
// a generated tree of companies, the accounts that may see them, and the page
// at "/".
//
// Everything is generated from a seed: the people, their numbers and what they
// wrote do not exist. Phones come from the ranges that regulators set aside for
// fiction; where a country has none, from area codes that were never assigned.
//
// The identity provider signs tokens for four accounts whose passwords are
// printed on screen. Only the demo command makes one; `serve` has no way to.
//
// It depends on search and tenancy for the shape of what it generates, and on
// no engine, cache or HTTP framework.
package demo
