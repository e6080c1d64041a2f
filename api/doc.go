// Package api contains the contract: openapi.yaml, written by hand, and the code
// generated from it: the types of requests and answers here, the Go client in the
// folder client.
//
// It depends on no other package of ours, and on no HTTP framework. Tests of the
// gateway check that it follows the contract.
package api

//go:generate go tool -modfile=../tools/go.mod oapi-codegen -config types.yaml openapi.yaml
//go:generate go tool -modfile=../tools/go.mod oapi-codegen -config client/client.yaml openapi.yaml
