//go:build !linux

package httpserver

import "net"

// BoundUnsent bounds how much the kernel buffers of what is written to the connection:
// otherwise a slow reader would look like one that has stopped. On this system bytes
// that are sent, and not acknowledged yet, count too. c may be nil.
func BoundUnsent(c net.Conn) {
	if conn, ok := c.(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = conn.SetWriteBuffer(8 * maxUnsent)
	}
}
