// Package params decodes the parameters of the API: from a query string or from a
// JSON body, by one table that a test holds against api/openapi.yaml. It tells of
// everything that is wrong with a request at once.
//
// It says what is asked for, and not what the caller may see: it knows no HTTP,
// no principal and no engine.
package params
