package gateway

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/scopegate/scopegate/gateway/httpserver"
	"github.com/scopegate/scopegate/tenancy"
)

// recheck checks an export while it runs, also while it waits for the engine, the
// disk or its reader. It ends an export
//   - that has run for MaxDuration;
//   - whose reader has taken nothing for StallTimeout;
//   - whose token was revoked, or whose caller may no longer see every company of its
//     scope. A token that has expired meanwhile does not end it: it was valid when the
//     snapshot was opened, and MaxDuration bounds the rest.
//
// SECURITY: a check that cannot be made ends the export, as it would at the start.
type recheck struct {
	export  *exportRun
	revoked func() error
	resolve func() (tenancy.Scope, error)
	every   time.Duration // between two checks of revoked and resolve
	stall   time.Duration
	control *http.ResponseController
	conn    net.Conn // nil: not known
	end     context.CancelCauseFunc
	ended   sync.WaitGroup

	mu      sync.Mutex
	next    time.Time // of the next check
	waiting time.Time // when the write under way began; zero: there is none
}

// breakOffTimeout is how long a write that is being broken off may take to return,
// before the connection is closed. Over HTTP/2 a frame ends the write, and cannot be
// sent on a connection whose reader takes nothing.
const breakOffTimeout = time.Second

// startRecheck starts the checks of an export. The returned context ends when the
// export has to, with the reason as its cause. The caller calls stop when the export
// has ended.
func (a *api) startRecheck(ctx context.Context, c *gin.Context, e *exportRun) (_ context.Context, _ *recheck, stop func()) {
	ctx, stopTime := context.WithTimeoutCause(ctx, a.exports.MaxDuration, errExportTooLong)
	ctx, end := context.WithCancelCause(ctx)
	r := &recheck{
		export: e, end: end, control: newResponseController(c.Writer), conn: httpserver.Connection(c.Request),
		every: a.exports.RecheckEvery, next: time.Now().Add(a.exports.RecheckEvery), stall: a.exports.StallTimeout,
		revoked: func() error { return a.verifier.Revoked(e.principal) },
		resolve: func() (tenancy.Scope, error) { return a.directory.Resolve(e.principal, e.req.Selection) },
	}
	// An export may take longer than the server's deadlines. At the one for reading,
	// the server would assume that the reader has gone; at the one for writing, HTTP/2
	// would reset the stream. The errors mean that there are no deadlines.
	_, _ = r.control.SetReadDeadline(time.Time{}), r.control.SetWriteDeadline(time.Time{})
	r.ended.Go(func() { r.run(ctx) })
	return ctx, r, func() {
		end(nil)
		r.ended.Wait()
		stopTime()
	}
}

func (r *recheck) run(ctx context.Context) {
	ticker := time.NewTicker(min(max(min(r.every, r.stall)/4, time.Millisecond), time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			r.breakOff()
			return
		case <-ticker.C:
			now := time.Now()
			if r.stalled(now) {
				r.end(errReaderTooSlow)
			} else if err := r.check(now); err != nil {
				r.end(err)
			}
		}
	}
}

// check returns an error if the export may not go on; it checks only when the next
// check is due.
func (r *recheck) check(now time.Time) error {
	if !r.due(now) {
		return nil
	}
	if err := r.revoked(); err != nil {
		return err
	}
	scope, err := r.resolve()
	if err != nil {
		return err
	}
	if scope.Fingerprint() == r.export.scope.Fingerprint() {
		return nil
	}
	for id := range r.export.scope.Companies() {
		if !scope.Contains(id) {
			return errScopeLost
		}
	}
	return nil
}

// due reports whether a check is due, and sets the time of the next one.
func (r *recheck) due(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.next) {
		return false
	}
	r.next = now.Add(r.every)
	return true
}

// write calls send, which may wait for the reader, unless the export has ended. A
// write that is under way when the context ends is ended by breakOff.
func (r *recheck) write(ctx context.Context, send func() error) error {
	r.mu.Lock()
	if ctx.Err() != nil {
		r.mu.Unlock()
		return context.Cause(ctx)
	}
	r.waiting = time.Now()
	r.mu.Unlock()
	err := send()
	r.mu.Lock()
	r.waiting = time.Time{}
	r.mu.Unlock()
	return err
}

// stalled reports whether the write under way has waited for too long.
func (r *recheck) stalled(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.waiting.IsZero() && now.Sub(r.waiting) > r.stall
}

func (r *recheck) isWriting() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.waiting.IsZero()
}

// breakOff ends the write that is under way, if there is one.
func (r *recheck) breakOff() {
	if !r.isWriting() {
		return
	}
	_ = r.control.SetWriteDeadline(time.Unix(1, 0)) // a writer without deadlines does not wait
	for since := time.Now(); r.isWriting(); time.Sleep(5 * time.Millisecond) {
		if r.conn != nil && time.Since(since) > breakOffTimeout {
			_ = r.conn.Close() // the reader takes nothing, so no error can be sent
			return
		}
	}
}
