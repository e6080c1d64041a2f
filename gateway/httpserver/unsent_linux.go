package httpserver

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// BoundUnsent has a write to the connection wait while more than some 32 KiB of
// what was written before have yet to be sent (tcp(7), TCP_NOTSENT_LOWAT). The
// kernel would otherwise take megabytes in advance, and wake a blocked write only
// when a third of them are gone: a slow reader would look like one that has
// stopped. What is on its way is not bounded, so nothing becomes slower.
//
// Where it cannot be set, a slow reader has less than StallTimeout says.
func BoundUnsent(c net.Conn) {
	conn, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
	})
}
