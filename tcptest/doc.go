// Package tcptest has servers and a proxy that misbehave, for tests. All listen on
// 127.0.0.1 and end with their test.
package tcptest

// loopback is a free port of this machine.
const loopback = "127.0.0.1:0"
