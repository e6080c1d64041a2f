package redisstore

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

// maxAnswer bounds what one answer of Redis may hold, in bytes: more than any
// value or page of the log that a gateway has stored. A longer answer was not
// written by a gateway, and is not read.
const maxAnswer = 4 << 20

// keepAlive is how often an idle connection is probed.
const keepAlive = 30 * time.Second

// ErrAnswer says that an answer is longer than maxAnswer, or none at all.
var ErrAnswer = errors.New("redis: an answer is too long, or malformed")

// dialer connects as go-redis does, and bounds what is read.
func (o Options) dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}
	if o.TLS == nil {
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := plain.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			if probed, ok := conn.(syscall.Conn); ok {
				return &probedConn{boundedConn{Conn: conn}, probed}, nil
			}
			return &boundedConn{Conn: conn}, nil
		}
	}
	secure := &tls.Dialer{NetDialer: plain, Config: o.TLS}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := secure.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &boundedConn{Conn: conn}, nil
	}
}

// boundedConn ends when an answer on it is longer than any may be, before the
// client makes room for it.
type boundedConn struct {
	net.Conn

	answers answerReader
}

// probedConn is one that the client may ask whether it is still alive.
type probedConn struct {
	boundedConn
	syscall.Conn
}

// Read implements net.Conn.
func (c *boundedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if fault := c.answers.read(p[:n]); fault != nil {
		return 0, errors.Join(fault, c.Close())
	}
	return n, err
}

// answerReader follows the answers in a stream of RESP, versions 2 and 3
// (https://redis.io/docs/latest/develop/reference/protocol-spec/), and adds up
// what each holds. Version 3 is what the client speaks with Sentinels.
type answerReader struct {
	line    []byte // of a line whose end has not come: all of it
	skip    int    // bytes of a string that are still to come, its line end included
	pending int    // elements of the answer that are still to come
	held    int    // bytes that the answer holds so far
}

// itemBytes is what the client takes for an element of an array.
const itemBytes = 16

func (a *answerReader) read(p []byte) error {
	for len(p) > 0 {
		if a.skip > 0 {
			n := min(a.skip, len(p))
			a.skip, p = a.skip-n, p[n:]
			a.ended()
			continue
		}
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			a.line = append(a.line, p...)
			return a.hold(len(p))
		}
		line := p[:end]
		if len(a.line) > 0 {
			a.line = append(a.line, line...)
			line = a.line
		}
		if err := a.hold(end); err != nil {
			return err
		}
		if err := a.begin(line); err != nil {
			return err
		}
		a.line, p = a.line[:0], p[end+1:]
		a.ended()
	}
	return nil
}

func (a *answerReader) hold(bytes int) error {
	if bytes > maxAnswer-a.held {
		return fmt.Errorf("%w: more than %d bytes", ErrAnswer, maxAnswer)
	}
	a.held += bytes
	return nil
}

// begin reads the first line of an element, without its line feed.
func (a *answerReader) begin(line []byte) error {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if a.pending == 0 {
		a.pending = 1
	}
	a.pending--
	if len(line) == 0 {
		return fmt.Errorf("%w: an empty line", ErrAnswer)
	}
	kind := line[0]
	switch kind {
	case '+', '-', ':', '_', '#', ',', '(': // the line is all
		return nil
	case '$', '!', '=', '*', '~', '>', '%', '|':
	default:
		return fmt.Errorf("%w: not RESP", ErrAnswer)
	}
	length, err := strconv.ParseInt(string(line[1:]), 10, 64)
	switch {
	case err != nil || length < -1:
		return fmt.Errorf("%w: a length that is none", ErrAnswer)
	case length < 0: // null
		return nil
	case length > maxAnswer:
		return a.hold(maxAnswer + 1)
	}
	n := int(length)
	switch kind {
	case '$', '!', '=':
		a.skip = n + len("\r\n")
		return a.hold(n)
	case '%':
		n *= 2 // keys and values
	case '|':
		n = 2*n + 1 // and what they are attributes of
	}
	a.pending += n
	return a.hold(n * itemBytes)
}

// ended forgets an answer of which nothing more is to come.
func (a *answerReader) ended() {
	if a.skip == 0 && a.pending == 0 {
		a.held = 0
	}
}
