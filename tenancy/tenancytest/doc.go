// Package tenancytest makes principals, scopes and directories for tests.
//
// It has no back door into package tenancy: an Issuer signs tokens with real
// keys and publishes them on a server at 127.0.0.1, a real Verifier checks
// them, and a real Directory cuts the scopes. What a test gets here is what
// production would have made of the same token and records.
package tenancytest
