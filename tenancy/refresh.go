package tenancy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// maxKeySetBytes bounds the answer of a JWKS address.
const maxKeySetBytes = 1 << 20

// keepFresh fetches until ctx ends: at intervals, when a fetch is requested for an
// unknown kid, and sooner after a failure. Nothing else fetches, so that there is
// one fetch at a time.
func (k *issuerKeys) keepFresh(ctx context.Context) {
	retry := k.limits.retry
	for {
		pause := k.limits.every
		err := k.refresh(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			k.logger.WarnContext(ctx, "key set not refreshed: "+k.consequence(), slog.Any("error", err))
			pause = min(retry, k.limits.every)
			retry = 2 * pause
		default:
			retry = k.limits.retry
		}
		k.pause(ctx, pause)
	}
}

// consequence is what a failure means for now.
func (k *issuerKeys) consequence() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.set == nil || len(k.set.keys) == 0 {
		return "no key is known, so that no token of the issuer is believed"
	}
	return "known keys stay in use"
}

func (k *issuerKeys) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-k.trigger:
	}
}

// refresh fetches once and wakes those who wait.
func (k *issuerKeys) refresh(ctx context.Context) error {
	k.begin()
	set, err := k.fetch(ctx)
	return k.end(ctx, set, err)
}

func (k *issuerKeys) begin() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requested, k.pending = time.Now(), true
	select {
	case <-k.trigger: // this is the fetch that was requested
	default:
	}
}

// end takes over the set, unless it is empty and must be confirmed first.
func (k *issuerKeys) end(ctx context.Context, set *keySet, err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pending = false
	close(k.done)
	k.done = make(chan struct{})
	if err != nil {
		return err
	}
	if err := k.checkEmpty(set); err != nil {
		return err
	}
	if k.set == nil || !slices.Equal(k.set.refused, set.refused) {
		for _, why := range set.refused {
			k.logger.WarnContext(ctx, "key refused", slog.String("reason", why))
		}
	}
	k.set = set
	return nil
}

// checkEmpty refuses a set without a usable key until the issuer has published
// nothing else for a while: an issuer that is starting up does so for seconds, one
// that has withdrawn all its keys goes on.
func (k *issuerKeys) checkEmpty(set *keySet) error {
	if len(set.keys) > 0 {
		k.emptySince = time.Time{}
		return nil
	}
	if k.emptySince.IsZero() {
		k.emptySince = time.Now()
	}
	if time.Since(k.emptySince) >= k.limits.confirmEmpty {
		return nil
	}
	return fmt.Errorf("no usable key in the set; refused: %q", set.refused)
}

// fetch asks the issuer. Its errors hold the address but nothing of the
// answer, which may be a page of another server.
func (k *issuerKeys) fetch(ctx context.Context) (*keySet, error) {
	ctx, cancel := context.WithTimeout(ctx, k.limits.fetch)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := k.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered with status %d", k.url, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySetBytes+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxKeySetBytes {
		return nil, errors.New("the key set is larger than 1 MiB")
	}
	return parseKeySet(body, k.algorithms)
}

// maxLoad bounds one refresh of what is read from a source.
const maxLoad = 10 * time.Second

// refresher refreshes at intervals what is read from a source.
type refresher struct {
	what    string // for the log
	every   time.Duration
	refresh func(context.Context) error
	trigger <-chan struct{} // requests a refresh at once; nil: nothing does
	logger  *slog.Logger
}

// minRefreshInterval is the least time from a triggered refresh to the next one
// that is triggered: a source may change all the time.
const minRefreshInterval = 500 * time.Millisecond

// run refreshes until ctx ends. A failure is logged, and the next refresh comes at
// its time. How old the data may become is decided where it is used.
func (r refresher) run(ctx context.Context) {
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	trigger, failing := r.trigger, false
	var resume <-chan time.Time // when trigger counts again
	for {
		select {
		case <-ctx.Done():
			return
		case <-resume:
			trigger, resume = r.trigger, nil
			continue
		case <-trigger:
			trigger, resume = nil, time.After(minRefreshInterval)
		case <-tick.C:
		}
		err := r.refresh(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.logger.WarnContext(ctx, r.what+" not refreshed", slog.Any("error", err))
		case failing:
			r.logger.InfoContext(ctx, r.what+" refreshed again")
		}
		failing = err != nil
	}
}
