package tenancy

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxNumericDate is the last second of the year 9999. Past it dates overflow
// in one library or the other, some into the past, some into the future.
const maxNumericDate = 253_402_300_799

// claimNames tells which claims make a principal.
type claimNames struct {
	company, roles, supervisor string
	everyone                   bool // all supervise, whatever their roles
}

// principal reads the claims of a token whose signature is good. ErrTokenExpired
// is for tokens with no other fault.
func (n claimNames) principal(claims jwt.MapClaims, from *issuer) (Principal, error) {
	if err := checkDates(claims); err != nil {
		return Principal{}, err
	}
	subject, _ := claims["sub"].(string)
	if subject == "" {
		return Principal{}, invalid("sub is missing")
	}
	company, ok := companyClaim(claims[n.company])
	if !ok {
		return Principal{}, invalid("company claim is missing or no company id")
	}
	roles, ok := stringList(claims[n.roles])
	if !ok {
		return Principal{}, invalid("roles claim is neither a string nor a list of strings")
	}
	if err := validityFault(from.validate.Validate(claims)); err != nil {
		return Principal{}, err
	}
	expires, err := claims.GetExpirationTime()
	if err != nil {
		return Principal{}, invalid("exp is no date")
	}
	return Principal{
		account:    Account{Issuer: from.Issuer, Subject: subject},
		company:    company,
		roles:      roles,
		supervisor: n.everyone || slices.Contains(roles, n.supervisor),
		expires:    expires.Time,
		bounds:     from.Companies,
	}, nil
}

// validityFault is ErrTokenExpired only if that is the one fault found.
func validityFault(err error) error {
	if err == nil {
		return nil
	}
	faults := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		faults = joined.Unwrap()
	}
	if len(faults) == 1 && errors.Is(faults[0], jwt.ErrTokenExpired) {
		return ErrTokenExpired
	}
	for _, known := range []struct {
		is     error
		reason string
	}{
		{jwt.ErrTokenInvalidAudience, "audience is another"},
		{jwt.ErrTokenRequiredClaimMissing, "exp or aud is missing"},
		{jwt.ErrTokenNotValidYet, "not valid yet"},
		{jwt.ErrTokenUsedBeforeIssued, "issued in the future"},
	} {
		if errors.Is(err, known.is) {
			return invalid(known.reason)
		}
	}
	return invalid("claims do not hold")
}

// checkDates refuses dates that the library would misread.
func checkDates(claims jwt.MapClaims) error {
	for _, name := range []string{"exp", "nbf", "iat"} {
		claim, there := claims[name]
		if !there {
			continue
		}
		number, ok := claim.(json.Number)
		seconds, err := strconv.ParseFloat(string(number), 64)
		if !ok || err != nil || math.IsNaN(seconds) || seconds < 0 || seconds > maxNumericDate {
			return invalid(name + " is no date")
		}
	}
	return nil
}

// provenance is jti and iat, by which a token may be revoked; "" and zero when
// they are not there.
func provenance(claims jwt.MapClaims) (id string, issued time.Time, err error) {
	claim, there := claims["jti"]
	id, isText := claim.(string)
	if there && !isText {
		return "", time.Time{}, invalid("jti is no string")
	}
	date, err := claims.GetIssuedAt()
	if err != nil {
		return "", time.Time{}, invalid("iat is no date")
	}
	if date != nil {
		issued = date.Time
	}
	return id, issued, nil
}

// companyClaim takes a JSON integer and nothing that merely looks like one.
func companyClaim(claim any) (CompanyID, bool) {
	number, _ := claim.(json.Number)
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || !fitsCompanyID(n) {
		return 0, false
	}
	return CompanyID(n), true
}

// stringList takes a string, a list of strings, or nothing.
func stringList(claim any) ([]string, bool) {
	switch c := claim.(type) {
	case nil:
		return nil, true
	case string:
		return []string{c}, true
	case []any:
		list := make([]string, 0, len(c))
		for _, item := range c {
			text, ok := item.(string)
			if !ok {
				return nil, false
			}
			list = append(list, text)
		}
		return list, true
	}
	return nil, false
}
