package httpserver

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// BoundUnsent makes writes to the connection wait while more than about 32 KiB of
// earlier ones are not sent yet (tcp(7), TCP_NOTSENT_LOWAT). Otherwise the kernel
// would buffer megabytes, and wake a blocked write only when a third of them are
// sent: a slow reader would look like one that has stopped. Sent bytes are not
// bounded, so no transfer becomes slower.
//
// If the option cannot be set, a slow reader may be taken for one that has stopped.
// c may be nil.
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
