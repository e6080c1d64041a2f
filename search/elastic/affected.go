package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/session/jsonscan"
	"github.com/scopegate/scopegate/tenancy"
)

// affectedCompanies lists the companies that the changes affect. A session affects
// the company that it will belong to and the company that it belongs to now.
func (s *Store) affectedCompanies(ctx context.Context, changes []session.Change) ([]tenancy.CompanyID, error) {
	companies := map[tenancy.CompanyID]bool{}
	ids := map[string]bool{}
	for _, c := range changes {
		if company := c.CompanyID(); company.Valid() {
			companies[company] = true
		}
		switch {
		case c.Kind != session.KindSession:
		case c.Delete:
			ids[c.SessionID] = true
		default:
			ids[c.Session.ID()] = true
		}
	}
	if len(ids) > 0 {
		if err := s.addStored(ctx, slices.Collect(maps.Keys(ids)), companies); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(companies)), nil
}

// storedPaths are the needed parts of the answer. A session that is not stored has
// none of them.
const storedPaths = "docs._source.companyId docs.error.type"

// addStored adds the companies of the stored sessions, whether or not searches see
// them yet: multi-get reads the latest write.
func (s *Store) addStored(ctx context.Context, ids []string, to map[tenancy.CompanyID]bool) error {
	body, err := json.Marshal(map[string][]string{"ids": ids})
	if err != nil {
		return fmt.Errorf("elasticsearch: list of ids: %w", err)
	}
	var a struct {
		Docs []struct {
			Source struct {
				CompanyID jsontext.Value `json:"companyId"`
			} `json:"_source"`
			Error *fault `json:"error"`
		} `json:"docs"`
	}
	err = s.client.call(ctx, esapi.MgetRequest{
		Index: s.names(session.KindSession).write, Body: bytes.NewReader(body), SourceIncludes: []string{"companyId"},
		FilterPath: paths(storedPaths), Instrument: s.client.instrument,
	}, &a)
	if err != nil {
		return err
	}
	for _, doc := range a.Docs {
		if doc.Error != nil {
			return fmt.Errorf("elasticsearch: %w: the company of a stored session cannot be read: %s", search.ErrUnavailable, doc.Error.kind())
		}
		for _, company := range companiesIn(doc.Source.CompanyID) {
			to[company] = true
		}
	}
	return nil
}

// companiesIn returns every company that another producer may have written into a
// session. There should be exactly one.
func companiesIn(value jsontext.Value) (companies []tenancy.CompanyID) {
	for inner := range jsonscan.Flatten(value) {
		n, err := strconv.ParseFloat(string(inner), 64)
		if err == nil && n >= 1 && n <= float64(tenancy.MaxCompanyID) {
			companies = append(companies, tenancy.CompanyID(n))
		}
	}
	return companies
}
