package httpserver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/scopegate/scopegate/gateway/httpserver/servertest"
)

// bytesHandler answers with as many bytes as the query says, held together as
// the API's answers are.
func bytesHandler(w http.ResponseWriter, r *http.Request) {
	size, _ := strconv.Atoi(r.URL.RawQuery)
	w.Header().Set("Content-Length", strconv.Itoa(size))
	CorkAnswer(r, size)
	_, _ = w.Write(bytes.Repeat([]byte{'x'}, size))
}

func TestAnAnswerOfAnyLengthArrivesWhole(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		for _, version := range []string{"1.1", "2"} {
			if scheme == "http" && version == "2" {
				continue // there is none in clear
			}
			t.Run(scheme+" "+version, func(t *testing.T) {
				client, url := serveBytes(t, scheme, version)
				// One connection: what an answer left behind would spoil the next.
				for _, size := range []int{8000, 0, 1, serverBuffer - 1000, serverBuffer - 1, serverBuffer, serverBuffer + 1, 2 * serverBuffer, 1 << 20, 10} {
					for _, method := range []string{http.MethodGet, http.MethodHead} {
						wantBytes(t, client, method, fmt.Sprintf("%s/?%d", url, size), size)
					}
				}
			})
		}
	}
}

func wantBytes(t *testing.T, client *http.Client, method, url string, size int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("%s of %d bytes: %v", method, size, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if method == http.MethodHead {
		size = 0
	}
	if err != nil || len(body) != size {
		t.Errorf("%s: %d bytes of %d, error %v", method, len(body), size, err)
	}
}

// serveBytes serves bytesHandler as the gateway serves its API.
func serveBytes(t *testing.T, scheme, version string) (client *http.Client, url string) {
	t.Helper()
	o := Options{Handler: http.HandlerFunc(bytesHandler), Logger: slog.New(slog.DiscardHandler)}
	client = &http.Client{Transport: &http.Transport{}}
	if scheme == "https" {
		// A test server knows a certificate and a client that trusts it.
		known := httptest.NewUnstartedServer(nil)
		known.EnableHTTP2 = version == "2"
		known.StartTLS()
		t.Cleanup(known.Close)
		o.TLS, client = known.TLS.Clone(), known.Client()
	}
	listener := servertest.Listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- New(o).Serve(ctx, listener) }()
	t.Cleanup(func() {
		client.CloseIdleConnections()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return client, scheme + "://" + listener.Addr().String()
}
