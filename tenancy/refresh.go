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

// keepFresh fetches until ctx ends: on the beat, when an unknown kid makes
// somebody wish for it, and after a failure sooner at first. It is the only
// one that fetches, so that there is one fetch at a time.
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
	case <-k.want:
	}
}

// refresh fetches once and tells those who wait.
func (k *issuerKeys) refresh(ctx context.Context) error {
	k.begin()
	set, err := k.fetch(ctx)
	return k.end(ctx, set, err)
}

func (k *issuerKeys) begin() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.begun, k.pending = time.Now(), true
	select {
	case <-k.want: // granted by this fetch
	default:
	}
}

// end takes over the set, unless it is to be doubted.
func (k *issuerKeys) end(ctx context.Context, set *keySet, err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pending = false
	close(k.done)
	k.done = make(chan struct{})
	if err != nil {
		return err
	}
	if err := k.doubt(set); err != nil {
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

// doubt refuses a set without a usable key until the issuer has published
// nothing else for a while: one that is just starting up does so for seconds,
// one that has withdrawn all its keys goes on.
func (k *issuerKeys) doubt(set *keySet) error {
	if len(set.keys) > 0 {
		k.emptySince = time.Time{}
		return nil
	}
	if k.emptySince.IsZero() {
		k.emptySince = time.Now()
	}
	if time.Since(k.emptySince) >= k.limits.empty {
		return nil
	}
	return fmt.Errorf("no usable key in the set; refused: %q", set.refused)
}

// fetch asks the issuer. Its errors hold the address but nothing of the
// answer, which may be anybody's page.
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

// beat keeps something that is read from a source fresh.
type beat struct {
	what    string // for the log
	every   time.Duration
	refresh func(context.Context) error
	hurry   <-chan struct{} // has it refresh at once; nil: nothing does
	logger  *slog.Logger
}

// hurryRest is how long it does not hurry again: news may come all the time.
const hurryRest = 500 * time.Millisecond

// run refreshes on the beat until ctx ends. A failure is logged and left to the
// next beat: what it means is for those who ask how old the thing is.
func (b beat) run(ctx context.Context) {
	tick := time.NewTicker(b.every)
	defer tick.Stop()
	hurry, failing := b.hurry, false
	var rested <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-rested:
			hurry, rested = b.hurry, nil
			continue
		case <-hurry:
			hurry, rested = nil, time.After(hurryRest)
		case <-tick.C:
		}
		err := b.refresh(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			b.logger.WarnContext(ctx, b.what+" not refreshed", slog.Any("error", err))
		case failing:
			b.logger.InfoContext(ctx, b.what+" refreshed again")
		}
		failing = err != nil
	}
}
