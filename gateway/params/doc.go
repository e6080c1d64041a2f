// Package params decodes the parameters of the API, from a query string or a JSON
// body, by one table. A test compares the table with api/openapi.yaml. All faults of a
// request are returned at once.
//
// The package knows no HTTP, no principal and no engine: what the caller may see is
// decided elsewhere.
package params
