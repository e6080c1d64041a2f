package tcptest_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/tcptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers what it is sent.
func echo(conn net.Conn) { _, _ = io.Copy(conn, conn) }

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ask sends a line and reads one.
func ask(t *testing.T, conn net.Conn, line string) (string, error) {
	t.Helper()
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

func TestAProxyCarriesWhatItIsSent(t *testing.T) {
	p := tcptest.NewProxy(t, tcptest.Serve(t, echo))
	if got, err := ask(t, dial(t, p.Address), "a"); got != "a\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestACutProxyRefusesUntilItIsMended(t *testing.T) {
	p := tcptest.NewProxy(t, tcptest.Serve(t, echo))
	conn := dial(t, p.Address)
	if _, err := ask(t, conn, "a"); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	if got, err := ask(t, conn, "b"); err == nil {
		t.Errorf("%q over a connection that was cut", got)
	}
	if _, err := net.Dial("tcp", p.Address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v, want a refusal", err)
	}
	p.Mend()
	if got, err := ask(t, dial(t, p.Address), "c"); got != "c\n" || err != nil {
		t.Errorf("mended: %q, %v", got, err)
	}
}

func TestAProxyCutsItselfAfterItsBytes(t *testing.T) {
	p := tcptest.NewProxy(t, tcptest.Serve(t, echo))
	p.CutAfter(4)
	conn := dial(t, p.Address)
	if got, err := ask(t, conn, "a"); got != "a\n" || err != nil {
		t.Errorf("before: %q, %v", got, err)
	}
	if got, err := ask(t, conn, "b"); err == nil {
		t.Errorf("after: %q", got)
	}
}

func TestAHeldAnswerComesWhenItIsReleased(t *testing.T) {
	p := tcptest.NewProxy(t, tcptest.Serve(t, echo))
	p.Hold(true)
	conn, came := dial(t, p.Address), make(chan string)
	go func() {
		got, _ := ask(t, conn, "a")
		came <- got
	}()
	select {
	case got := <-came:
		t.Errorf("%q came while it was held", got)
	case <-time.After(20 * time.Millisecond):
		p.Hold(false)
		if got := <-came; got != "a\n" {
			t.Errorf("%q, want what was held", got)
		}
	}
}

func TestAConnectionIsReset(t *testing.T) {
	p := tcptest.NewProxy(t, tcptest.Serve(t, echo))
	p.Reset(true)
	if _, err := ask(t, dial(t, p.Address), "a"); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("error %v, want a reset", err)
	}
}

func TestNobodyListensOnARefusedAddress(t *testing.T) {
	if _, err := net.Dial("tcp", tcptest.Refused(t)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v, want a refusal", err)
	}
}
