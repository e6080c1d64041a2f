// Package directory changes the directory of companies and grants: a draft is made
// of what a store holds and changed; the plan is the difference, in steps that are
// safe where there are no transactions; an edit writes it and puts it on record. It
// knows no flags and no settings.
package directory
