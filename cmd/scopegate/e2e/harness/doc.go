// Package harness starts the whole program for tests: gateways on free ports over
// data of their own, commands in this process or as a process, and proxies in
// front of real servers. Tests of different packages run at the same time: each
// has indices, namespaces and folders of its own.
package harness
