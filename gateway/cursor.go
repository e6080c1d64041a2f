package gateway

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/scopegate/scopegate/gateway/params"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// cursorVersion is the start of the associated data: a cursor of another layout
// does not open.
const cursorVersion = "scopegate cursor 1"

// typicalBindingBytes is a capacity that is enough for most bindings.
const typicalBindingBytes = 384

// errCursorTooLong: the cursor for a position would be longer than
// params.MaxCursorLen.
var errCursorTooLong = errors.New("position does not fit a cursor")

// cursorEncoding is strict: a cursor with any altered character does not open.
var cursorEncoding = base64.RawURLEncoding.Strict()

// cursorSealer turns positions into cursors and back.
//
// SECURITY: a position may hold names, so it is encrypted. The account and the query
// are its associated data, so that a cursor is of no use for others. The tenant scope
// is not part of it: each use resolves the scope again. Random nonces of 24 bytes do
// not repeat (XChaCha20).
type cursorSealer struct {
	seal cipher.AEAD
	open []cipher.AEAD
}

func newCursorSealer(keys [][]byte) (*cursorSealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("CursorKeys: at least one key is required")
	}
	var s cursorSealer
	for i, key := range keys {
		aead, err := chacha20poly1305.NewX(key)
		if err != nil {
			return nil, fmt.Errorf("CursorKeys: key %d has %d bytes, must have %d", i+1, len(key), chacha20poly1305.KeySize)
		}
		s.open = append(s.open, aead)
	}
	s.seal = s.open[0]
	return &s, nil
}

// Seal makes the cursor for a position. Errors: errCursorTooLong.
func (s *cursorSealer) Seal(position search.Position, binding []byte) (string, error) {
	plain := positionJSON(position)
	size := s.seal.NonceSize() + len(plain) + s.seal.Overhead()
	if cursorEncoding.EncodedLen(size) > params.MaxCursorLen {
		return "", errCursorTooLong
	}
	sealed := make([]byte, s.seal.NonceSize(), size)
	_, _ = rand.Read(sealed) // never fails, see crypto/rand
	return cursorEncoding.EncodeToString(s.seal.Seal(sealed, sealed, plain, binding)), nil
}

// positionJSON encodes the position as an array; its values are JSON already.
func positionJSON(position search.Position) []byte {
	plain := []byte{'['}
	for i, value := range position.Values {
		if i > 0 {
			plain = append(plain, ',')
		}
		if value == nil {
			value = json.RawMessage("null")
		}
		plain = append(plain, value...)
	}
	return append(plain, ']')
}

// Open returns the position of a cursor. It returns false unless the cursor was
// sealed by one of the keys and with the same binding.
func (s *cursorSealer) Open(cursor string, binding []byte) (search.Position, bool) {
	if len(cursor) > params.MaxCursorLen {
		return search.Position{}, false
	}
	sealed, err := cursorEncoding.DecodeString(cursor)
	if err != nil || len(sealed) < chacha20poly1305.NonceSizeX {
		return search.Position{}, false
	}
	nonce, box := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	for _, aead := range s.open {
		plain, err := aead.Open(nil, nonce, box, binding)
		if err != nil {
			continue
		}
		var position search.Position
		return position, json.Unmarshal(plain, &position.Values) == nil
	}
	return search.Position{}, false
}

// cursorBinding encodes what a cursor is bound to: the account and its company, the
// filters, the order and the selection. Limit and fields are left out: they may
// change from page to page.
func cursorBinding(p tenancy.Principal, req params.SearchRequest) []byte {
	b := append(make([]byte, 0, typicalBindingBytes), cursorVersion...)
	b = appendText(b, p.Account().Issuer)
	b = appendText(b, p.Account().Subject)
	b = binary.AppendUvarint(b, uint64(p.Company()))
	b = appendText(b, string(req.Query.CountKey()))
	b = binary.AppendUvarint(b, uint64(len(req.Query.Sort)))
	for _, key := range req.Query.Sort {
		b = appendFlag(appendText(b, key.Field), key.Desc)
	}
	sel := req.Selection
	for _, list := range [][]tenancy.CompanyID{sel.Companies, sel.Branches, sel.ExceptCompanies, sel.ExceptBranches} {
		b = appendCompanies(b, list)
	}
	return appendFlag(b, sel.ShowAllSupervised)
}

// appendCompanies appends a list of which order and duplicates make no difference.
func appendCompanies(b []byte, companies []tenancy.CompanyID) []byte {
	if len(companies) > 1 {
		companies = slices.Compact(slices.Sorted(slices.Values(companies)))
	}
	b = binary.AppendUvarint(b, uint64(len(companies)))
	for _, id := range companies {
		b = binary.AppendUvarint(b, uint64(id))
	}
	return b
}

// appendText appends the length and the text, so that different lists of texts have
// different encodings.
func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func appendFlag(b []byte, flag bool) []byte {
	if flag {
		return append(b, 1)
	}
	return append(b, 0)
}

// openCursor sets where the page starts from the request's cursor, if it has one.
func (a *api) openCursor(p tenancy.Principal, req *params.SearchRequest) error {
	if req.Cursor == "" {
		return nil
	}
	position, ok := a.cursors.Open(req.Cursor, cursorBinding(p, *req))
	if !ok || search.CheckPosition(req.Query.Sort, position) != nil {
		return params.Faults{{Parameter: "cursor", Message: "does not belong to this search; take it from the Link header of the previous page and leave the other parameters as they were"}}
	}
	req.Query.After, req.Query.Offset = &position, 0
	return nil
}

// maxSearchPath is the length of the longest path that a link to a page is for.
const maxSearchPath = len("/api/v1/sessions/search")

// nextLink makes the target of Link rel="next" from the next page's cursor. The
// target is a query alone, so that it is relative to the caller's URL (RFC 3986,
// section 5.2.2): a proxy may have removed a prefix of the path.
type nextLink func(cursor string) string

// newNextLink makes links for this request: a POST repeats its body, a GET its query.
func newNextLink(in params.Input) nextLink {
	if in.Post {
		return nextByBody
	}
	return nextByURL(in.Query)
}

// nextByURL keeps the request's parameters except those that say where a page starts,
// which the cursor replaces. Names and phones in them go back to the caller that sent
// them, and to nobody else.
func nextByURL(rawQuery string) nextLink {
	return func(cursor string) string {
		var query strings.Builder
		for part := range strings.SplitSeq(rawQuery, "&") {
			if part != "" && !isPositionParameter(part) {
				query.WriteString(percentEncode(part, linkChar)) // some clients send plain text
				query.WriteByte('&')
			}
		}
		return "?" + query.String() + "cursor=" + cursor
	}
}

// nextByBody has the cursor only, since the caller sends its body again.
func nextByBody(cursor string) string {
	return "?cursor=" + cursor
}

// isPositionParameter reports whether a "name=value" of a query says where a page
// starts.
func isPositionParameter(part string) bool {
	key, _, _ := strings.Cut(part, "=")
	name, err := url.QueryUnescape(key)
	if err != nil {
		return false // the decoder has refused it
	}
	switch name {
	case "offset", "page", "cursor", "offsetField", "offsetValue":
		return true
	}
	return false
}

// linkChar reports whether the target of a Link may hold the byte as it is (RFC
// 8288, section 3; RFC 3986, section 2); ">" would end the target. A percent sign
// stays, since the URL is encoded already.
func linkChar(c byte) bool {
	return c > ' ' && c < 0x7F && strings.IndexByte("\"<>\\^`{|}", c) < 0
}

// percentEncode writes each byte that is not allowed as "%XX" (RFC 3986, section
// 2.1).
func percentEncode(text string, allowed func(c byte) bool) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; allowed(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
