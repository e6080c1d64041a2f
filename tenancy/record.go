package tenancy

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// DecodeCompany reads {"id": 7, "name": "…", "parentId": 3}; parentId may be
// null or absent for a root. Anything else in it, a key twice, or a value out
// of range is an error that wraps ErrInvalidRecord and names the key.
func DecodeCompany(raw stdjson.RawMessage) (Company, error) {
	var doc struct {
		ID       *int64  `json:"id"`
		Name     *string `json:"name"`
		ParentID *int64  `json:"parentId"`
	}
	if err := decodeRecord(raw, &doc); err != nil {
		return Company{}, err
	}
	var faults []error
	switch {
	case doc.ID == nil:
		faults = append(faults, errors.New("id: missing"))
	case !fitsCompanyID(*doc.ID):
		faults = append(faults, fmt.Errorf("id: must be 1 to %d", MaxCompanyID))
	}
	if doc.Name == nil {
		faults = append(faults, errors.New("name: missing"))
	}
	if doc.ParentID != nil && !fitsCompanyID(*doc.ParentID) {
		faults = append(faults, fmt.Errorf("parentId: must be 1 to %d, or null", MaxCompanyID))
	}
	if err := invalidRecord(faults); err != nil {
		return Company{}, err
	}
	c := Company{ID: CompanyID(*doc.ID), Name: *doc.Name}
	if doc.ParentID != nil {
		c.ParentID = CompanyID(*doc.ParentID)
	}
	if err := c.Validate(); err != nil {
		return Company{}, err
	}
	return c, nil
}

// RepairCompany is DecodeCompany for a document that is stored already and cannot
// be refused any more. What it makes of a faulty one gives nobody more than the
// sound one would: a parent that cannot be read is none, and a name that cannot be
// is the id. ok is false when the id cannot be read: nothing can be made of it.
// The fault wraps ErrInvalidRecord, names the key and quotes no value; it is nil
// for a sound document.
func RepairCompany(raw stdjson.RawMessage) (c Company, ok bool, fault error) {
	if c, fault = DecodeCompany(raw); fault == nil {
		return c, true, nil
	}
	var doc struct {
		ID       jsontext.Value `json:"id"`
		Name     jsontext.Value `json:"name"`
		ParentID jsontext.Value `json:"parentId"`
	}
	if json.Unmarshal(raw, &doc, jsontext.AllowInvalidUTF8(true)) != nil {
		return Company{}, false, fault
	}
	if c = (Company{ID: companyIDOf(doc.ID)}); c.ID == 0 {
		return Company{}, false, fault
	}
	c.ParentID = companyIDOf(doc.ParentID)
	if json.Unmarshal(doc.Name, &c.Name) != nil || c.Validate() != nil {
		c.Name = strconv.FormatUint(uint64(c.ID), 10)
	}
	return c, true, fault
}

// companyIDOf is 0 for what is no id.
func companyIDOf(raw jsontext.Value) CompanyID {
	var n int64
	if json.Unmarshal(raw, &n) != nil || !fitsCompanyID(n) {
		return 0
	}
	return CompanyID(n)
}

// DecodeGrant reads {"issuer": "…", "subject": "…", "companyId": 7}. Anything
// else in it, a key twice, or a value out of range is an error that wraps
// ErrInvalidRecord and names the key.
func DecodeGrant(raw stdjson.RawMessage) (Grant, error) {
	var doc struct {
		Issuer    string `json:"issuer"`
		Subject   string `json:"subject"`
		CompanyID int64  `json:"companyId"`
	}
	if err := decodeRecord(raw, &doc); err != nil {
		return Grant{}, err
	}
	g := Grant{Account: Account{Issuer: doc.Issuer, Subject: doc.Subject}}
	if fitsCompanyID(doc.CompanyID) {
		g.CompanyID = CompanyID(doc.CompanyID)
	}
	if err := g.Validate(); err != nil {
		return Grant{}, err
	}
	return g, nil
}

// fitsCompanyID is asked before an int64 is cut down to a CompanyID.
func fitsCompanyID(n int64) bool { return n >= 1 && n <= int64(MaxCompanyID) }

// decodeRecord reads strictly: names by their exact case, none unknown, none
// twice, valid UTF-8. The standard decoder allows all four.
func decodeRecord(raw []byte, doc any) error {
	err := json.Unmarshal(raw, doc, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	// The library's text may quote the value, which may be a name.
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return fmt.Errorf("%w: not a JSON object with each key once", ErrInvalidRecord)
	}
	key := strings.TrimPrefix(string(semantic.JSONPointer), "/")
	switch {
	case errors.Is(err, json.ErrUnknownName):
		return fmt.Errorf("%w: unknown key %q", ErrInvalidRecord, key)
	case key == "":
		return fmt.Errorf("%w: must be a JSON object", ErrInvalidRecord)
	default:
		return fmt.Errorf("%w: %s: wrong type of value", ErrInvalidRecord, key)
	}
}
