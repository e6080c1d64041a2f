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

// claimNames are the names of the claims that make a principal.
type claimNames struct {
	company, roles, supervisor string
	everyone                   bool // all supervise, whatever their roles
}

// principal reads the claims of a token whose signature is good. ErrTokenExpired
// is for tokens with no other fault: their callers get a new one, which would
// have that fault again.
func (n claimNames) principal(claims jwt.MapClaims, from *issuer) (Principal, error) {
	if err := checkDates(claims); err != nil {
		return Principal{}, err
	}
	// A token for another audience is reported as such, whatever else it lacks.
	fault := validityFault(from.validate.Validate(claims))
	if fault != nil && !errors.Is(fault, ErrTokenExpired) {
		return Principal{}, fault
	}
	subject, _ := claims["sub"].(string)
	if subject == "" {
		return Principal{}, invalidClaim("sub", "is missing or no text")
	}
	company, ok := companyClaim(claims[n.company])
	if !ok {
		return Principal{}, invalidClaim(n.company, "is missing or no company id")
	}
	roles, ok := stringList(claims[n.roles])
	if !ok {
		return Principal{}, invalidClaim(n.roles, "is neither a text nor a list of texts")
	}
	if fault != nil {
		return Principal{}, fault
	}
	expires, err := claims.GetExpirationTime()
	if err != nil {
		return Principal{}, invalidClaim("exp", "is no date")
	}
	// Nothing depends on these two, so a claim of another type is no reason to refuse.
	name, _ := claims["name"].(string)
	email, _ := claims["email"].(string)
	return Principal{
		name: name, email: email,
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
	// Of several faults the first in this list counts. There is an exp already.
	switch {
	case errors.Is(err, jwt.ErrTokenInvalidAudience), errors.Is(err, jwt.ErrInvalidType):
		return invalid(ReasonAudience, "audience is another")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return invalid(ReasonAudience, "audience is missing")
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return invalid(ReasonNotYet, "not valid yet")
	case errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return invalid(ReasonNotYet, "issued in the future")
	}
	return invalid(ReasonMalformed, "claims do not hold")
}

// checkDates refuses dates that the library would misread, and a token without
// an end.
func checkDates(claims jwt.MapClaims) error {
	if _, there := claims["exp"]; !there {
		return invalidClaim("exp", "is missing")
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		claim, there := claims[name]
		if !there {
			continue
		}
		number, ok := claim.(json.Number)
		seconds, err := strconv.ParseFloat(string(number), 64)
		if !ok || err != nil || math.IsNaN(seconds) || seconds < 0 || seconds > maxNumericDate {
			return invalidClaim(name, "is no date")
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
		return "", time.Time{}, invalidClaim("jti", "is no text")
	}
	date, err := claims.GetIssuedAt()
	if err != nil {
		return "", time.Time{}, invalidClaim("iat", "is no date")
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
