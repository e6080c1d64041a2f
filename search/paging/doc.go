// Package paging holds what engines share for reading far into an order: Prefetch,
// which reads a snapshot one batch ahead of its caller, and Anchors, which cache
// the positions of known row numbers.
//
// It depends on package search and on no engine.
package paging
