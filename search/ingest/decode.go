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

// Type is the kind of record in a line.
type Type string

// The types of lines.
const (
	TypeSession Type = "session"
	TypeCompany Type = "company"
	TypeGrant   Type = "grant"
)

// ErrLine marks a line without a valid change. The text names the fault and quotes
// no values of the line: they are personal data.
var ErrLine = errors.New("invalid line")

// Types lists all types of lines.
func Types() []Type { return []Type{TypeSession, TypeCompany, TypeGrant} }

func (t Type) valid() bool { return t == TypeSession || t == TypeCompany || t == TypeGrant }

// Decode reads one line. With a type, the line is the bare document of an upsert.
// Without one, it is {"type": "session|company|grant", "op": "upsert|delete",
// "doc": {…}}; op defaults to upsert. An unknown or duplicate key is an error. A
// delete uses only the document's id, or a grant's three keys.
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

// fastPath decodes an upsert of a session in the form that `scopegate seed` writes.
// It parses the line once: if its document is valid, so is the line. It returns
// false for every other line, valid or not.
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

// decode decodes a line that names its type.
func decode(text []byte) (session.Change, error) {
	var envelope envelope
	// The decoder of each kind of document checks for duplicate keys itself. A
	// second check here would take as long as everything else.
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

// unfitKey marks lines of a dump that must not be imported as they are: such a
// document may have the same id as a valid session.
const unfitKey = "unfit"

// envelope is a line that names its type.
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

// unmarshalStrict reads one JSON object. Names must match in case and not occur
// twice at any depth, the text must be valid UTF-8, and nothing may follow the
// object. The standard decoder does not check all of this.
func unmarshalStrict(text []byte, into any, options ...json.Options) error {
	err := json.Unmarshal(text, into, options...)
	if err == nil {
		if jsontext.Value(text).Kind() != '{' { // null would be accepted for a struct
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
