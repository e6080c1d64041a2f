package httpserver

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// checkTimeout bounds one readiness check.
const checkTimeout = 2 * time.Second

// AdminOptions are the parts of the admin listener. It is for operators and probes,
// and needs no token: its address must not be public.
type AdminOptions struct {
	// Readiness fails /readyz when a stop begins; may be nil.
	Readiness *Readiness
	// Checks are run by /readyz, all at once, for at most 2 s. The texts of their
	// errors are in the answer.
	Checks map[string]func(ctx context.Context) error
	// Metrics answers /metrics; nil: a 404.
	Metrics http.Handler
	// Traces answers /debug/traces and /debug/traces/{id}; nil: a 404.
	Traces http.Handler
}

// NewAdmin makes the handler of the admin listener: /livez, /readyz, /metrics
// and /debug/traces.
func NewAdmin(o AdminOptions) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		writeStatus(w, http.StatusOK, statusBody{Status: "alive"})
	})
	mux.HandleFunc("GET /readyz", o.ready)
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	if o.Traces != nil {
		mux.Handle("GET /debug/traces", o.Traces)
		mux.Handle("GET /debug/traces/{id}", o.Traces)
	}
	return mux
}

// statusBody is the answer of /livez and /readyz; a check that passed is "ok".
type statusBody struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks,omitempty"`
}

func (o AdminOptions) ready(w http.ResponseWriter, r *http.Request) {
	body, status := statusBody{Status: "ready", Checks: runChecks(r.Context(), o.Checks)}, http.StatusOK
	for _, outcome := range body.Checks {
		if outcome != "ok" {
			body.Status, status = "not ready", http.StatusServiceUnavailable
		}
	}
	if o.Readiness != nil && o.Readiness.Stopping() {
		body.Status, status = "stopping", http.StatusServiceUnavailable
	}
	writeStatus(w, status, body)
}

func runChecks(ctx context.Context, checks map[string]func(context.Context) error) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	outcomes := make(map[string]string, len(checks))
	var (
		mu   sync.Mutex
		done sync.WaitGroup
	)
	for name, check := range checks {
		done.Go(func() {
			outcome := "ok"
			if err := check(ctx); err != nil {
				outcome = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			outcomes[name] = outcome
		})
	}
	done.Wait()
	return outcomes
}

func writeStatus(w http.ResponseWriter, status int, body statusBody) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the prober may have gone
}
