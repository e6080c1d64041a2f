package download

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// opaquePrefix begins the account of a token that is no JWT.
const opaquePrefix = "token:"

// opaque reports whether an account is that of a token that is no JWT.
func opaque(account string) bool { return strings.HasPrefix(account, opaquePrefix) }

// accountOf tells accounts apart by their tokens, without saying whose they are:
// it is a digest. That of a JWT is of all claims but those that a renewal
// changes: which of them hold the company and the roles is a setting of the
// gateway, and another company is another scope. What is no JWT says nothing of
// its account, so that each such token is an account of its own.
//
// The signature is not looked at: the gateway does that.
func accountOf(token string) string {
	claims, ok := claimsOf(token)
	if !ok {
		return opaquePrefix + sum(token)
	}
	for _, name := range renewed() {
		delete(claims, name)
	}
	sorted, err := json.Marshal(inOrder(claims))
	if err != nil {
		panic(err) // it is what encoding/json has read
	}
	return "claims:" + sum(string(sorted))
}

// renewed lists the claims that differ between two tokens of one account: those
// that say when, where, by which login and for whom a token was made (RFC 7519,
// section 4.1; OpenID Connect Core, section 2; RFC 9068, section 2.2; RFC 9449,
// section 6; Keycloak's session_state; Microsoft's aio, rh, uti and ipaddr).
func renewed() []string {
	return []string{
		"exp", "nbf", "iat", "jti", "aud", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "c_hash", "s_hash", "sid",
		"client_id", "cnf", "session_state", "aio", "rh", "uti", "ipaddr",
	}
}

// claimsOf reads the payload of a signed JWT (RFC 7515, section 7.1) that names
// a subject.
func claimsOf(token string) (map[string]any, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber() // large ids are not rounded
	var claims map[string]any
	if d.Decode(&claims) != nil || d.More() {
		return nil, false
	}
	subject, ok := claims["sub"].(string)
	return claims, ok && subject != ""
}

// inOrder sorts the elements of all lists: roles are a set, and issuers list
// them in any order.
func inOrder(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			value[name] = inOrder(member)
		}
	case []any:
		texts := make([]string, len(value))
		for i, element := range value {
			text, err := json.Marshal(inOrder(element))
			if err != nil {
				panic(err) // it is what encoding/json has read
			}
			texts[i] = string(text)
		}
		slices.Sort(texts)
		return texts
	}
	return value
}

func sum(text string) string {
	digest := sha256.Sum256([]byte(text))
	return hex.EncodeToString(digest[:])
}

// gatewayOf is the URL of a gateway in one spelling.
func gatewayOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	for scheme, port := range map[string]string{"http": ":80", "https": ":443"} {
		if u.Scheme == scheme {
			host = strings.TrimSuffix(host, port)
		}
	}
	return u.Scheme + "://" + host + strings.TrimSuffix(u.JoinPath().EscapedPath(), "/")
}
