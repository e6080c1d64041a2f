package searchtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// values are fields of a session by name; other fields have no value.
type values map[string]any

// spec is a session to be built. The message counts, which every session has, are 0
// unless given.
type spec struct {
	id      string
	company tenancy.CompanyID
	values  values
}

// document converts the session into wire form, with the parser that all sessions
// go through.
func (s spec) document() (session.Document, error) {
	all := values{"clientMessageCount": 0, "operatorMessageCount": 0, "botMessageCount": 0}
	maps.Copy(all, s.values)
	all["id"], all["companyId"] = s.id, s.company
	if _, ok := all["messageCount"]; !ok {
		all["messageCount"] = all["clientMessageCount"].(int) +
			all["operatorMessageCount"].(int) + all["botMessageCount"].(int)
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return session.Document{}, fmt.Errorf("session %q: %w", s.id, err)
	}
	doc, err := session.Parse(raw)
	if err != nil {
		return session.Document{}, fmt.Errorf("session %q: %w", s.id, err)
	}
	return doc, nil
}

func build(specs []spec) ([]session.Document, error) {
	docs := make([]session.Document, 0, len(specs))
	for _, s := range specs {
		doc, err := s.document()
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

// epoch is the moment that the suite's dates are relative to.
var epoch = time.Date(2024, time.March, 1, 12, 0, 0, 0, time.UTC)

// at returns a date in wire form, the given number of milliseconds after the epoch.
func at(ms int) string {
	return epoch.Add(time.Duration(ms) * time.Millisecond).Format("2006-01-02T15:04:05.000Z07:00")
}

// moment returns the same date as a bound of a filter.
func moment(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }
