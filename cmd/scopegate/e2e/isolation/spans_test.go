package isolation_test

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// spanCollector takes all spans of the gateways that start after it, as bytes:
// texts stand in OTLP's encoding as they are. The gateway's own store has room
// for the newest only.
type spanCollector struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func collectSpans(t *testing.T) *spanCollector {
	t.Helper()
	c := &spanCollector{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", server.URL+"/v1/traces")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1000000") // a full queue drops spans
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
	return c
}

// ServeHTTP implements http.Handler.
func (c *spanCollector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Content-Encoding") != "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all.Write(body)
	w.Header().Set("Content-Type", "application/x-protobuf") // an empty answer is one without complaint
}

func (c *spanCollector) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all.String()
}

// traces are the ids of all traces in hex. A span begins with its trace's id:
// field 1 of 16 bytes.
func (c *spanCollector) traces() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := map[string]bool{}
	rest := c.all.Bytes()
	for {
		at := bytes.Index(rest, []byte{0x0a, 16})
		if at < 0 || len(rest) < at+18 {
			return ids
		}
		ids[hex.EncodeToString(rest[at+2:at+18])] = true
		rest = rest[at+1:]
	}
}
