// Package tenancy decides who is asking and which companies they may see.
//
// It owns token verification (Verifier), the verified caller (Principal), the
// directory of companies and grants (Directory) and the tenant scope of a
// request (Scope). Principal and Scope have no exported fields and no exported
// constructors: outside this package they come only from a Verifier and a
// Directory, so code that holds a non-empty Scope holds one that was derived
// from a verified token.
//
// It imports nothing of ours and knows nothing of search engines, HTTP
// frameworks or caches.
package tenancy
