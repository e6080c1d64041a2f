//go:build !linux

package gateway

import "net"

// boundUnsent bounds what the kernel takes of an export in advance: a slow reader
// would otherwise look like one that has stopped. Here what is on its way counts
// too.
func boundUnsent(c net.Conn) {
	if conn, ok := c.(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = conn.SetWriteBuffer(8 * maxUnsent)
	}
}
