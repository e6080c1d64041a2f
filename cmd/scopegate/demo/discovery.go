package demo

import (
	"net/http"

	"github.com/golang-jwt/jwt/v5"
)

func (p *Identity) listAccounts(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, "application/json", p.accounts)
}

func (p *Identity) keySet(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, "application/json", p.keys.published(p.now()))
}

// rotate brings a new signing key into use. Tokens signed by the ones before
// live on.
func (p *Identity) rotate(w http.ResponseWriter, _ *http.Request) error {
	kid, err := p.keys.rotate(p.now())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, "application/json", map[string]string{"kid": kid})
}

// discovery is the provider metadata of OpenID Connect Discovery 1.0, as far as
// this provider goes. Its issuer is not a prefix of its own address: see Issuer.
func (p *Identity) discovery(w http.ResponseWriter, r *http.Request) error {
	base := "http://" + r.Host
	return writeJSON(w, http.StatusOK, "application/json", map[string]any{
		"issuer":                                Issuer,
		"jwks_uri":                              base + KeySetPath,
		"token_endpoint":                        base + loginPath,
		"response_types_supported":              []string{"token"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{jwt.SigningMethodES256.Alg()},
		"claims_supported":                      []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "company_id", "roles"},
	})
}
