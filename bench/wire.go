package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	dialTimeout = 3 * time.Second
	// answerTimeout is longer than any search may take.
	answerTimeout = time.Minute
	// shownOfAnswer is how much of an answer that is not 200 an error shows.
	shownOfAnswer = 500
)

// request is an HTTP/1.1 request as it goes on the wire: made once, sent often,
// so that the load costs the machine as little as it can.
type request []byte

// newRequest writes a request out; path is path and query. There is no body
// when body is nil.
func newRequest(method, host, path string, header http.Header, body []byte) request {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, host)
	_ = header.Write(&b) // a buffer takes all
	if body != nil {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// connection is a kept-alive connection for one worker.
type connection struct {
	address string // HOST:PORT
	open    net.Conn
	reader  *bufio.Reader
}

func (c *connection) dial(ctx context.Context) error {
	if c.open != nil {
		return nil
	}
	open, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	c.open, c.reader = open, bufio.NewReaderSize(open, 64<<10)
	return nil
}

func (c *connection) close() {
	if c.open != nil {
		_ = c.open.Close() // nothing is left to be sent
		c.open = nil
	}
}

// send sends the request, reads the answer to its end, into body unless that is
// nil, and returns its header. An answer other than 200 is an error.
func (c *connection) send(ctx context.Context, r request, body io.Writer) (http.Header, error) {
	if err := c.dial(ctx); err != nil {
		return nil, err
	}
	header, err := c.roundTrip(r, body)
	if err != nil {
		c.close()
	}
	return header, err
}

func (c *connection) roundTrip(r request, body io.Writer) (header http.Header, err error) {
	if err := c.open.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, err
	}
	if _, err := c.open.Write(r); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, shownOfAnswer)) // what there is of it
		return nil, fmt.Errorf("%s: %s", answer.Status, text)
	}
	if body == nil {
		body = io.Discard
	}
	_, err = io.Copy(body, answer.Body)
	return answer.Header, err
}
