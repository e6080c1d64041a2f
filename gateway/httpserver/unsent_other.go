//go:build !linux

package httpserver

import "net"

// BoundUnsent bounds what the kernel takes of an export in advance: a slow reader
// would otherwise look like one that has stopped. Here what is on its way counts
// too.
func BoundUnsent(c net.Conn) {
	if conn, ok := c.(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = conn.SetWriteBuffer(8 * maxUnsent)
	}
}
