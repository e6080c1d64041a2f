package tenancy

import (
	"context"
	"errors"
	"time"
)

// RevocationsFile reads revocations from a file of one a line:
//
//	{"jti": "…", "until": "2026-03-01T10:00:00Z"}
//	{"issuer": "…", "subject": "…", "before": "2026-03-01T10:00:00Z"}
//
// The first takes one token back: until its exp, or for ever without until; an
// issuer besides means that issuer's token alone. The second takes back all
// tokens of an account that were issued before the instant. Dates are RFC 3339.
// Empty lines are skipped. A line that is anything else fails the whole load;
// replace the file by renaming. What is lost from a file that is changed in
// place stays in force for MaxStaleRevocations more.
func RevocationsFile(path string) Revocations {
	return revocationsFile{lineFile{path: path, now: time.Now}}
}

type revocationsFile struct{ lineFile }

var _ Revocations = revocationsFile{}

// Load implements Revocations. Errors wrap ErrInvalidRecord and name the line,
// or are those of the file system.
func (f revocationsFile) Load(ctx context.Context) (Revoked, error) {
	var all Revoked
	if err := f.each(ctx, all.add); err != nil {
		return Revoked{}, err
	}
	return all, nil
}

// add appends the revocation that the line holds.
func (r *Revoked) add(line []byte) error {
	var record struct {
		JTI     *string    `json:"jti"`
		Until   *time.Time `json:"until"`
		Issuer  *string    `json:"issuer"`
		Subject *string    `json:"subject"`
		Before  *time.Time `json:"before"`
	}
	if err := decodeRecord(line, &record); err != nil {
		return err
	}
	var faults []error
	fault := func(bad bool, text string) {
		if bad {
			faults = append(faults, errors.New(text))
		}
	}
	empty := func(text *string) bool { return text != nil && *text == "" }
	fault(empty(record.JTI), "jti: must not be empty")
	fault(empty(record.Issuer), "issuer: must not be empty")
	fault(empty(record.Subject), "subject: must not be empty")
	if record.JTI != nil {
		fault(record.Subject != nil || record.Before != nil, "jti: takes back one token, with neither subject nor before")
	} else {
		fault(record.Issuer == nil || record.Subject == nil || record.Before == nil, "must hold jti, or issuer, subject and before")
		fault(record.Until != nil, "until: goes with jti only")
	}
	if err := invalidRecord(faults); err != nil {
		return err
	}
	if record.JTI == nil {
		r.Accounts = append(r.Accounts, RevokedAccount{Account{*record.Issuer, *record.Subject}, *record.Before})
		return nil
	}
	r.Tokens = append(r.Tokens, RevokedToken{ID: *record.JTI, Issuer: value(record.Issuer), Until: value(record.Until)})
	return nil
}

// value is what p points to, the zero value when that is nothing.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
