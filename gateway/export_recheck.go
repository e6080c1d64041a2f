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

// recheck looks after one export for as long as it holds a slot, whatever the
// export itself waits for: the engine, the disk, or its reader. It ends an
// export
//   - that has run for MaxDuration;
//   - whose reader has taken nothing for StallTimeout;
//   - whose token was taken back, or whose caller may no longer see every company
//     whose sessions are being read. A token that has merely expired does not end
//     it: it was good when the snapshot was taken, and MaxDuration bounds what is
//     left.
//
// SECURITY: what cannot be asked is refused, as at the start.
type recheck struct {
	export  *exportRun
	revoked func() error
	resolve func() (tenancy.Scope, error)
	every   time.Duration // between two times that they are asked
	stall   time.Duration
	control *http.ResponseController
	conn    net.Conn // nil: it is not known
	end     context.CancelCauseFunc
	ended   sync.WaitGroup

	mu      sync.Mutex
	next    time.Time // when they are asked again
	waiting time.Time // since when the reader has taken nothing; zero: it need not
}

// brokenOffIn is how long a broken off write may take to come back before the
// connection is closed under it. Over HTTP/2 a frame ends the write, which cannot
// leave on a connection that takes nothing.
const brokenOffIn = time.Second

// startRecheck begins to look after an export. The context ends when the export
// has to, with the reason as its cause. The caller calls stop in the end.
func (a *api) startRecheck(ctx context.Context, c *gin.Context, e *exportRun) (_ context.Context, _ *recheck, stop func()) {
	ctx, stopTime := context.WithTimeoutCause(ctx, a.exports.MaxDuration, errExportTooLong)
	ctx, end := context.WithCancelCause(ctx)
	w := &recheck{
		export: e, end: end, control: newResponseController(c.Writer), conn: httpserver.Connection(c.Request),
		every: a.exports.RecheckEvery, next: time.Now().Add(a.exports.RecheckEvery), stall: a.exports.StallTimeout,
		revoked: func() error { return a.verifier.Revoked(e.principal) },
		resolve: func() (tenancy.Scope, error) { return a.directory.Resolve(e.principal, e.req.Selection) },
	}
	// The server has a time for reading a request, at whose end it would take the
	// reader for gone, and one for writing an answer, at whose end HTTP/2 resets
	// the stream. One that has none cannot be told so.
	_, _ = w.control.SetReadDeadline(time.Time{}), w.control.SetWriteDeadline(time.Time{})
	w.ended.Go(func() { w.run(ctx) })
	return ctx, w, func() {
		end(nil)
		w.ended.Wait()
		stopTime()
	}
}

func (w *recheck) run(ctx context.Context) {
	ticker := time.NewTicker(min(max(min(w.every, w.stall)/4, time.Millisecond), time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			w.breakOff()
			return
		case <-ticker.C:
			now := time.Now()
			if w.stalled(now) {
				w.end(errReaderTooSlow)
			} else if err := w.check(now); err != nil {
				w.end(err)
			}
		}
	}
}

// check asks, if it is time to, whether the export may go on.
func (w *recheck) check(now time.Time) error {
	if !w.due(now) {
		return nil
	}
	if err := w.revoked(); err != nil {
		return err
	}
	scope, err := w.resolve()
	if err != nil {
		return err
	}
	if scope.Fingerprint() == w.export.scope.Fingerprint() {
		return nil
	}
	for id := range w.export.scope.Companies() {
		if !scope.Contains(id) {
			return errScopeLost
		}
	}
	return nil
}

func (w *recheck) due(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Before(w.next) {
		return false
	}
	w.next = now.Add(w.every)
	return true
}

// write runs what may wait for the reader, unless the export has ended.
func (w *recheck) write(ctx context.Context, some func() error) error {
	w.mu.Lock()
	// What is under way when the context ends is broken off: see breakOff.
	if ctx.Err() != nil {
		w.mu.Unlock()
		return context.Cause(ctx)
	}
	w.waiting = time.Now()
	w.mu.Unlock()
	err := some()
	w.mu.Lock()
	w.waiting = time.Time{}
	w.mu.Unlock()
	return err
}

func (w *recheck) stalled(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.waiting.IsZero() && now.Sub(w.waiting) > w.stall
}

func (w *recheck) isWriting() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.waiting.IsZero()
}

// breakOff ends the write that is under way, if there is one.
func (w *recheck) breakOff() {
	if !w.isWriting() {
		return
	}
	_ = w.control.SetWriteDeadline(time.Unix(1, 0)) // what has none waits for nobody
	for since := time.Now(); w.isWriting(); time.Sleep(5 * time.Millisecond) {
		if w.conn != nil && time.Since(since) > brokenOffIn {
			_ = w.conn.Close() // it took nothing, nor will it take an error
			return
		}
	}
}
