package redisstore_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/cache/redistest"
	"github.com/scopegate/scopegate/tcptest"
)

// A Redis that answers everything with a value that is far too long.
func TestAnAnswerThatIsTooLongEndsItsConnectionBeforeItIsRead(t *testing.T) {
	address := tcptest.Serve(t, func(conn net.Conn) {
		buffer := make([]byte, 4096)
		for {
			if _, err := conn.Read(buffer); err != nil {
				return
			}
			if _, err := io.Copy(conn, io.MultiReader(strings.NewReader("$536870912\r\n"), io.LimitReader(iotest.DataErrReader(zeros{}), 512<<20))); err != nil {
				return
			}
		}
	})
	r := redistest.Connect(t, redisstore.Options{Addresses: []string{address}})
	for name, call := range map[string]func() error{
		"a value":  func() error { _, err := r.Get(t.Context(), []string{"a"}); return err },
		"a write":  func() error { return r.Set(t.Context(), "a", nil, time.Minute) },
		"a script": func() error { return r.LogPool().Eval(t.Context(), "return 1", []string{"a"}).Err() },
		"a list": func() error {
			return r.LogPool().XRead(t.Context(), &redis.XReadArgs{Streams: []string{"a", "0"}}).Err()
		},
	} {
		if err := call(); !errors.Is(err, redisstore.ErrAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte{0}, len(p))), nil }
