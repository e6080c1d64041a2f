package tenancy

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"
)

// Limits that are not for configuration: the contract lets no request wait
// longer than a second for a key set.
const (
	maxKeyWait      = time.Second
	maxKeyFetch     = 5 * time.Second
	firstRetry      = 250 * time.Millisecond
	maxRefresh      = 24 * time.Second // with maxKeyFetch, below the 30 s of the contract
	confirmEmptySet = time.Minute

	// maxRefreshRevocations is the bound within which a revoked token must be
	// refused.
	maxRefreshRevocations = 15 * time.Second
)

func newRefreshLimits(o VerifierOptions) refreshLimits {
	return refreshLimits{
		every:        o.RefreshKeys,
		unknown:      UnknownKeyInterval,
		wait:         maxKeyWait,
		fetch:        maxKeyFetch,
		retry:        firstRetry,
		confirmEmpty: confirmEmptySet,
	}
}

func (o VerifierOptions) withDefaults() VerifierOptions {
	o.RefreshKeys = cmp.Or(o.RefreshKeys, DefaultRefreshKeys)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// validate reports all faults at once.
func (o VerifierOptions) validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(o.Issuers) == 0 {
		fault("no issuer given: nobody could be let in")
	}
	if o.CompanyClaim == "" || o.RolesClaim == "" {
		fault("the claims of the company and the roles must be named")
	}
	if o.SupervisorRole == "" && !o.EveryoneSupervises {
		fault("the role that supervises must be named")
	}
	if o.MaxToken <= 0 {
		fault("the longest token must be positive")
	}
	if o.RefreshKeys < 0 || o.RefreshKeys > maxRefresh {
		fault("keys must be refreshed at least every %s", maxRefresh)
	}
	if o.Revocations != nil && (o.RefreshRevocations <= 0 || o.RefreshRevocations > maxRefreshRevocations) {
		fault("revocations must be refreshed at least every %s", maxRefreshRevocations)
	}
	if o.MaxStaleRevocations < o.RefreshRevocations {
		fault("max stale of revocations (%s) is shorter than their refresh interval (%s)", o.MaxStaleRevocations, o.RefreshRevocations)
	}
	names := make(map[string]bool)
	for _, i := range o.Issuers {
		if names[i.Issuer] {
			fault("issuer %q is given twice", i.Issuer)
		}
		names[i.Issuer] = true
		if len(o.Issuers) > 1 && len(i.Companies) == 0 {
			fault("issuer %q must be bound to companies, as there are several issuers", i.Issuer)
		}
		faults = append(faults, i.validate()...)
	}
	return errors.Join(faults...)
}

func (i IssuerOptions) validate() []error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("issuer %q: %w", i.Issuer, fmt.Errorf(format, args...)))
	}
	if i.Issuer == "" {
		fault("must have a name, the exact iss of its tokens")
	}
	if u, err := url.Parse(i.JWKSURL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		fault("the JWKS address must be an http or https URL")
	}
	if len(i.Audiences) == 0 || slices.Contains(i.Audiences, "") {
		fault("at least one audience is required, none of them empty")
	}
	for _, alg := range i.Algorithms {
		if !slices.Contains(allAlgorithms(), alg) {
			fault("algorithm %q is not allowed: use one of %q", alg, allAlgorithms())
		}
	}
	for _, id := range i.Companies {
		if !id.Valid() {
			fault("company %d: must be 1 to %d", id, MaxCompanyID)
		}
	}
	return faults
}
