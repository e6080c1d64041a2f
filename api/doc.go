// Package api is the contract: openapi.yaml, written by hand, and what is
// generated from it: the types of requests and answers here, the Go client in
// the folder client.
//
// It depends on nothing of ours, and on no HTTP framework. What the gateway
// does is held to the contract by tests there.
package api

//go:generate go tool -modfile=../tools/go.mod oapi-codegen -config types.yaml openapi.yaml
//go:generate go tool -modfile=../tools/go.mod oapi-codegen -config client/client.yaml openapi.yaml
