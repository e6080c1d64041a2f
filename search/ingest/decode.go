package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// Type is what a line holds.
type Type string

// The types of lines.
const (
	TypeSession Type = "session"
	TypeCompany Type = "company"
	TypeGrant   Type = "grant"
)

// ErrLine marks a line that holds no change. The text names what is wrong with
// it and quotes none of its values: they are personal data.
var ErrLine = errors.New("invalid line")

// Types lists the types of lines.
func Types() []Type { return []Type{TypeSession, TypeCompany, TypeGrant} }

func (t Type) valid() bool { return t == TypeSession || t == TypeCompany || t == TypeGrant }

// Decode reads one line: with a type, the bare document of an upsert, without
// one {"type": "session|company|grant", "op": "upsert|delete", "doc": {…}}, where
// op may be left out for an upsert. A key that is unknown or comes twice is an
// error. A delete looks at the document's id alone, of a grant at its three
// keys.
//
// Errors wrap ErrLine, session.ErrDocument or tenancy.ErrInvalidRecord.
func Decode(text []byte, bare Type) (session.Change, error) {
	if bare != "" {
		return upsert(bare, text)
	}
	if change, ok := fastPath(text); ok {
		return change, nil
	}
	return decode(text)
}

// fastPath decodes an upsert of a session in the form that `scopegate seed` writes. The
// line is parsed once: if its document is valid, so is the line. False for every other
// line, valid or not.
func fastPath(text []byte) (session.Change, bool) {
	rest, ok := bytes.CutPrefix(text, []byte(`{"type":"session","op":"upsert","doc":`))
	if !ok {
		return session.Change{}, false
	}
	doc, ok := bytes.CutSuffix(rest, []byte(`}`))
	if !ok {
		return session.Change{}, false
	}
	change, err := upsert(TypeSession, doc)
	return change, err == nil
}

// decode is Decode of a line with a type.
func decode(text []byte) (session.Change, error) {
	var envelope envelope
	// Each kind of document is looked through for keys that come twice by its own
	// decoder: doing it here as well would take as long as all else.
	if err := unmarshalStrict(text, &envelope, jsontext.AllowDuplicateNames(true)); err != nil {
		return session.Change{}, err
	}
	switch {
	case !envelope.Type.valid():
		return session.Change{}, fmt.Errorf("%w: type: must be session, company or grant", ErrLine)
	case envelope.Doc == nil:
		return session.Change{}, fmt.Errorf("%w: doc: missing", ErrLine)
	case envelope.Op == nil || *envelope.Op == "upsert":
		return upsert(envelope.Type, *envelope.Doc)
	case *envelope.Op == "delete":
		return remove(envelope.Type, *envelope.Doc)
	}
	return session.Change{}, fmt.Errorf("%w: op: must be upsert or delete", ErrLine)
}

// unfitKey is in lines of a dump that are not to be imported as they are: a document
// that the store had as no session may have the id of one.
const unfitKey = "unfit"

// envelope is a line as it says itself what it holds.
type envelope struct {
	Type Type
	Op   *string
	Doc  *jsontext.Value
}

var _ json.UnmarshalerFrom = (*envelope)(nil)

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (e *envelope) UnmarshalJSONFrom(from *jsontext.Decoder) error {
	if begin, err := from.ReadToken(); err != nil {
		return err
	} else if begin.Kind() != '{' {
		return fmt.Errorf("%w: must be a JSON object", ErrLine)
	}
	seen := map[string]bool{}
	for from.PeekKind() != '}' {
		name, err := from.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		if seen[key] {
			return fmt.Errorf("%w: a key comes twice, near byte %d", ErrLine, from.InputOffset())
		}
		seen[key] = true
		if err := e.member(from, key); err != nil {
			return err
		}
	}
	_, err := from.ReadToken()
	return err
}

func (e *envelope) member(from *jsontext.Decoder, key string) error {
	switch key {
	case "type":
		return json.UnmarshalDecode(from, &e.Type)
	case "op":
		return json.UnmarshalDecode(from, &e.Op)
	case "doc":
		return json.UnmarshalDecode(from, &e.Doc)
	case unfitKey:
		return fmt.Errorf("%w: %s: a dump has found it in a store as no record: mend doc and leave %s out", ErrLine, unfitKey, unfitKey)
	}
	return fmt.Errorf("%w: unknown key near byte %d: a line has type, op and doc", ErrLine, from.InputOffset())
}

func upsert(t Type, doc []byte) (session.Change, error) {
	switch t {
	case TypeSession:
		parsed, err := session.Parse(doc)
		return session.Change{Kind: session.KindSession, Session: parsed}, err
	case TypeCompany:
		company, err := tenancy.DecodeCompany(doc)
		return session.Change{Kind: session.KindCompany, Company: company}, err
	default:
		grant, err := tenancy.DecodeGrant(doc)
		return session.Change{Kind: session.KindGrant, Grant: grant}, err
	}
}

func remove(t Type, doc []byte) (session.Change, error) {
	switch t {
	case TypeSession:
		var named struct {
			ID string `json:"id"`
		}
		err := unmarshalStrict(doc, &named)
		if err == nil && (named.ID == "" || len(named.ID) > session.MaxIDSize) {
			err = fmt.Errorf("%w: doc: id: must be a string of 1 to %d bytes", ErrLine, session.MaxIDSize)
		}
		return session.Change{Kind: session.KindSession, Delete: true, SessionID: named.ID}, err
	case TypeCompany:
		var company struct {
			ID int64 `json:"id"`
		}
		err := unmarshalStrict(doc, &company)
		if err == nil && (company.ID < 1 || company.ID > int64(tenancy.MaxCompanyID)) {
			err = fmt.Errorf("%w: doc: id: must be 1 to %d", ErrLine, tenancy.MaxCompanyID)
		}
		return session.Change{
			Kind: session.KindCompany, Delete: true,
			Company: tenancy.Company{ID: tenancy.CompanyID(company.ID)},
		}, err
	default:
		grant, err := tenancy.DecodeGrant(doc)
		return session.Change{Kind: session.KindGrant, Delete: true, Grant: grant}, err
	}
}

// unmarshalStrict reads one JSON object: names by their exact case, none twice at any
// depth, valid UTF-8, nothing after it. The standard decoder lets all that pass.
func unmarshalStrict(text []byte, into any, options ...json.Options) error {
	err := json.Unmarshal(text, into, options...)
	if err == nil {
		if jsontext.Value(text).Kind() != '{' { // null fits a struct
			return fmt.Errorf("%w: must be a JSON object", ErrLine)
		}
		return nil
	}
	// The library's own text may quote a value.
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return fmt.Errorf("%w: a key comes twice, near byte %d", ErrLine, syntax.ByteOffset)
		}
		return fmt.Errorf("%w: not JSON, near byte %d", ErrLine, syntax.ByteOffset)
	}
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return fmt.Errorf("%w: not a JSON object", ErrLine)
	}
	if errors.Is(semantic.Err, ErrLine) {
		return semantic.Err
	}
	name := strings.TrimPrefix(string(semantic.JSONPointer), "/")
	if name == "" {
		return fmt.Errorf("%w: must be a JSON object", ErrLine)
	}
	return fmt.Errorf("%w: %s: wrong type of value", ErrLine, name)
}
