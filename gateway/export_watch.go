package gateway

import (
	"time"

	"github.com/scopegate/scopegate/tenancy"
)

// watch asks now and then whether an export may go on: whether the caller's token
// was taken back, and whether the caller may still see every company whose
// sessions are being read. A token that has merely expired does not end it: it
// was good when the snapshot was taken, and MaxDuration bounds what is left.
//
// SECURITY: what cannot be asked is refused, as at the start.
type watch struct {
	every     time.Duration
	next      time.Time
	revoked   func() error
	resolve   func() (tenancy.Scope, error)
	exporting *exporting
}

func (a *api) newWatch(e *exporting) *watch {
	return &watch{
		every: a.exports.RecheckEvery, next: time.Now().Add(a.exports.RecheckEvery), exporting: e,
		revoked: func() error { return a.verifier.Revoked(e.principal) },
		resolve: func() (tenancy.Scope, error) { return a.directory.Resolve(e.principal, e.req.Selection) },
	}
}

// check asks if it is time to.
func (w *watch) check(now time.Time) error {
	if now.Before(w.next) {
		return nil
	}
	w.next = now.Add(w.every)
	if err := w.revoked(); err != nil {
		return err
	}
	scope, err := w.resolve()
	if err != nil {
		return err
	}
	if scope.Fingerprint() == w.exporting.scope.Fingerprint() {
		return nil
	}
	for id := range w.exporting.scope.Companies() {
		if !scope.Contains(id) {
			return errScopeLost
		}
	}
	return nil
}
