// Package paging holds what engines share to read far: Prefetch, which reads a
// snapshot one batch ahead of whoever takes it in, and Anchors, which remember
// where in an order a number of rows ends.
//
// It depends on package search and on no engine.
package paging
