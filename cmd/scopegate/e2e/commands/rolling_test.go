package commands_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// longTests is the environment variable that asks for the long form of tests.
const longTests = "SCOPEGATE_LONG_TESTS"

// accessLine is in the log's line of each search.
const accessLine = `"route":"/api/v1/sessions"`

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it has accepted nothing
	return l.Addr().String()
}

// balance starts HAProxy before two gateways, with probes of their readiness, and
// returns its address.
func balance(t *testing.T, gateways [2]string, admins [2]string) string {
	t.Helper()
	program, err := exec.LookPath("haproxy")
	if err != nil {
		if os.Getenv(harness.RequireServices) != "" {
			t.Fatal("haproxy is not installed: `make prepare` installs it")
		}
		t.Skip("haproxy is not installed: `make prepare` installs it")
	}
	address, file := freeAddress(t), filepath.Join(t.TempDir(), "haproxy.cfg")
	var text strings.Builder
	text.WriteString("defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n timeout check 10s\n option redispatch\n" +
		"frontend api\n bind " + address + "\n default_backend gateways\n" +
		"backend gateways\n option httpchk\n http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host localhost\n" +
		" http-check expect status 200\n default-server inter 200ms fall 1 rise 1\n")
	for i := range gateways {
		_, port, _ := strings.Cut(admins[i], ":")
		fmt.Fprintf(&text, " server gateway%d %s check port %s\n", i, gateways[i], port)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	command := exec.CommandContext(ctx, program, "-db", "-f", file)
	var output strings.Builder
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = command.Wait() // it was killed
		if t.Failed() {
			t.Logf("haproxy: %s", output.String())
		}
	})
	return "http://" + address
}

// load sends searches by several callers until it is stopped, and counts those that
// were answered and the failures.
type load struct {
	answered atomic.Int64
	failed   chan error
	stop     context.CancelFunc
	done     sync.WaitGroup
}

func startLoad(t *testing.T, url, token string, callers int) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &load{failed: make(chan error, 1000), stop: stop}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	t.Cleanup(client.CloseIdleConnections)
	for range callers {
		l.done.Go(func() {
			for ctx.Err() == nil {
				if err := sendSearch(client, url, token); err != nil {
					select {
					case l.failed <- err:
					default:
					}
				} else {
					l.answered.Add(1)
				}
				time.Sleep(5 * time.Millisecond) // the machine does other things too
			}
		})
	}
	t.Cleanup(func() { stop(); l.done.Wait() })
	return l
}

// sendSearch sends a search that no stored answer and no search of others answers.
func sendSearch(client *http.Client, url, token string) error {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url+"/api/v1/sessions?showAllSupervised=true", http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Cache-Control", "no-cache")
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", res.StatusCode, body)
	}
	return err
}

// report fails the test with the failures of the load.
func (l *load) report(t *testing.T) {
	t.Helper()
	l.stop()
	l.done.Wait()
	for n := len(l.failed); n > 0; n-- {
		t.Error(<-l.failed)
	}
	t.Logf("%d requests were answered", l.answered.Load())
}

// The short form sends some thousand requests. SCOPEGATE_LONG_TESTS=1 sends 100,000.
func TestARollingRestartBehindABalancerLosesNoRequest(t *testing.T) {
	drain, least, rounds := 2*time.Second, int64(1000), 1
	if os.Getenv(longTests) != "" {
		drain, least, rounds = 5*time.Second, 100_000, 1000
	}
	dir, issuer := harness.SmallTree(t), tenancytest.NewIssuer(t)
	var apis, admins [2]string
	for i := range apis {
		apis[i], admins[i] = freeAddress(t), freeAddress(t)
	}
	serve := func(i int) *harness.Gateway {
		g := harness.Serve(t, dir, "listen="+apis[i], "admin.listen="+admins[i], fmt.Sprintf("http.drain_delay=%s", drain), "limits.account_loads=0",
			fmt.Sprintf(`identity.issuers=[{"issuer": %q, "jwks_url": %q, "audiences": [%q]}]`, issuer.URL(), issuer.Options().JWKSURL, tenancytest.Audience))
		g.AwaitReady(t)
		return g
	}
	gateways := [2]*harness.Gateway{serve(0), serve(1)}
	url := balance(t, apis, admins)
	token := issuer.Token(t, tenancytest.Claims{Subject: "supervisor", Company: 1, Roles: []string{"supervisor"}})
	client := &http.Client{}
	t.Cleanup(client.CloseIdleConnections)
	harness.Eventually(t, "the balancer passes requests on", func() bool { return sendSearch(client, url, token) == nil })

	l := startLoad(t, url, token, 8)
	for round := 0; round < rounds && (round == 0 || l.answered.Load() < least); round++ {
		for i := range gateways {
			before := l.answered.Load()
			if err := gateways[i].Stop(); err != nil {
				t.Fatal(err)
			}
			if l.answered.Load() == before {
				t.Error("nothing was sent while a gateway stopped")
			}
			gateways[i] = serve(i)
			// The other may stop only when the balancer uses this one again.
			harness.Eventually(t, "the gateway is asked again", func() bool {
				return strings.Contains(gateways[i].Logs.String(), accessLine)
			})
		}
	}
	harness.Eventually(t, "enough requests were sent", func() bool { return l.answered.Load() >= least })
	l.report(t)
}

func TestAGatewayThatStopsAloneAnswersAllThatItHasAccepted(t *testing.T) {
	g := harness.Serve(t, harness.SmallTree(t), "limits.account_loads=0")
	g.AwaitReady(t)
	l := startLoad(t, g.URL, g.Supervisor(t, 1), 16)
	harness.Eventually(t, "requests are answered", func() bool { return l.answered.Load() > 100 })
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	l.stop()
	l.done.Wait()
	served := int64(0)
	for line := range strings.Lines(g.Logs.String()) {
		if strings.Contains(line, accessLine) {
			served++
		}
	}
	// Callers who came too late were refused a connection. Nobody else was disappointed.
	if got := l.answered.Load(); got != served || len(l.failed) == 0 {
		t.Errorf("the gateway has served %d requests, callers have read %d answers to the end, %d came too late", served, got, len(l.failed))
	}
}
