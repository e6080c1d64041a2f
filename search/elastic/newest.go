package elastic

import (
	"context"
	stdjson "encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// clientOf identifies a client of a company.
type clientOf struct {
	company int64
	client  string
}

// neverStarted stands for a missing startedAt: it is older than all dates.
const neverStarted = math.MinInt64

// clients are the clients with matching sessions.
type clients struct {
	newest map[clientOf]int64 // startedAt of the newest session, in milliseconds since 1970
	others int64              // matching sessions without a client
}

// count is the number of sessions that are kept.
func (c clients) count() int64 { return int64(len(c.newest)) + c.others }

// Names of aggregations and of the sources of their keys.
const (
	perClient, startedLast, withoutClient = "clients", "last", "others"
	sourceCompany, sourceClient           = "company", "client"
)

// clientPaths are the needed parts of an answer with clients.
const clientPaths = "took timed_out pit_id _shards.total _shards.failed hits.total aggregations." + withoutClient +
	" aggregations." + perClient + ".after_key aggregations." + perClient + ".buckets.key aggregations." + perClient +
	".buckets.doc_count aggregations." + perClient + ".buckets." + startedLast + ".value"

// clients reads the clients page by page, on the view's point in time. That is exact
// for any number of shards: each sends its next ones.
func (v *view) clients(ctx context.Context, query stdjson.RawMessage) (clients, error) {
	found := clients{newest: map[clientOf]int64{}}
	composite := clause{"size": v.store.limits.clientsAtOnce, "sources": []clause{
		{sourceCompany: clause{"terms": clause{"field": "companyId"}}},
		{sourceClient: clause{"terms": clause{"field": "clientId"}}},
	}}
	aggs := clause{
		perClient:     clause{"composite": composite, "aggs": clause{startedLast: clause{"max": clause{"field": "startedAt"}}}},
		withoutClient: clause{"missing": clause{"field": "clientId"}},
	}
	for first := true; ; first = false {
		a, err := v.ask(ctx, query, request{Count: first, Aggs: aggs}, paths(clientPaths)...)
		if err != nil {
			return clients{}, err
		}
		if first {
			found.others = a.Aggs[withoutClient].Count
			delete(aggs, withoutClient)
			if a.Hits.Total.Value > int64(v.store.limits.mostOfClients) {
				return clients{}, errTooManyClients
			}
		}
		for _, b := range a.Aggs[perClient].Buckets {
			if err := found.add(b); err != nil {
				return clients{}, err
			}
		}
		if len(found.newest) > v.store.limits.mostClients {
			return clients{}, errTooManyClients
		}
		if len(a.Aggs[perClient].After) == 0 {
			return found, nil
		}
		composite["after"] = a.Aggs[perClient].After
	}
}

var errTooManyClients = fmt.Errorf("elasticsearch: %w", search.ErrTooManyClients)

// add adds a client. An empty clientId is none.
func (c *clients) add(b bucket) error {
	var key struct {
		Company int64   `json:"company"`
		Client  *string `json:"client"`
	}
	if err := stdjson.Unmarshal(b.Key, &key); err != nil || key.Client == nil {
		return errAnswer
	}
	if *key.Client == "" {
		c.others += b.Count
		return nil
	}
	started := int64(neverStarted)
	if b.Last.Value != nil {
		started = int64(*b.Last.Value)
	}
	c.newest[clientOf{key.Company, *key.Client}] = started
	return nil
}

// keepNewest narrows the query to the newest session of each client, and sessions
// without a client. The view must be on a point in time, so that the ids that it
// finds are those of all requests of the search.
func (v *view) keepNewest(ctx context.Context, query stdjson.RawMessage, found clients) (stdjson.RawMessage, error) {
	kept := []clause{not(clause{"exists": clause{"field": "clientId"}}), term("clientId", "")}
	if len(found.newest) > 0 {
		ids, err := v.newestOf(ctx, query, found)
		if err != nil {
			return nil, err
		}
		kept = append(kept, clause{"terms": clause{"id": ids}})
	}
	return narrowed(query, anyClause(kept...))
}

// newestOf reads the sessions that started when the newest session of some client
// did, and returns the ids of those that are the newest of their client. They come
// ordered by client, and the newest with the greatest id first.
func (v *view) newestOf(ctx context.Context, query stdjson.RawMessage, found clients) ([]string, error) {
	dates, undated := map[int64]bool{}, []string{}
	for client, started := range found.newest {
		if started == neverStarted {
			undated = append(undated, client.client)
		} else {
			dates[started] = true
		}
	}
	candidates := []clause{{"terms": clause{"startedAt": wireDates(dates)}}}
	if len(undated) > 0 {
		candidates = append(candidates, clause{"bool": clause{
			"filter": clause{"terms": clause{"clientId": undated}}, "must_not": clause{"exists": clause{"field": "startedAt"}},
		}})
	}
	narrow, err := narrowed(query, anyClause(candidates...))
	if err == nil {
		narrow, err = narrowed(narrow, clause{"exists": clause{"field": "clientId"}})
	}
	if err != nil {
		return nil, err
	}
	_, started, _ := session.FieldByName("startedAt")
	date := sortTerm{field: started, column: "startedAt", desc: true}
	r := request{Size: v.store.limits.window, Stored: "_none_", Sort: []clause{
		{"companyId": clause{"order": "asc", "numeric_type": "long"}}, {"clientId": clause{"order": "asc"}}, date.clause(), {"id": clause{"order": "desc"}},
	}}
	ids := make([]string, 0, len(found.newest))
	var last clientOf
	for {
		a, err := v.ask(ctx, narrow, r, paths(stepPaths)...)
		if err != nil {
			return nil, err
		}
		for _, h := range a.Hits.Hits {
			client, at, id, err := readCandidate(date, h.Sort)
			if err != nil {
				return nil, err
			}
			if newest, known := found.newest[client]; known && client != last && at == newest {
				ids = append(ids, id)
				last = client
			}
		}
		if len(a.Hits.Hits) < r.Size {
			break
		}
		r.SearchAfter = a.Hits.Hits[r.Size-1].Sort
	}
	if len(ids) != len(found.newest) {
		return nil, errAnswer // the point in time has them all
	}
	return ids, nil
}

// wireDates writes dates in the format of the index: a list of terms has no format
// of its own.
func wireDates(dates map[int64]bool) []string {
	list := make([]string, 0, len(dates))
	for ms := range dates {
		list = append(list, time.UnixMilli(ms).UTC().Format(session.DateLayout))
	}
	return list
}

// readCandidate reads the sort values of a candidate.
func readCandidate(date sortTerm, sort []jsontext.Value) (client clientOf, started int64, id string, err error) {
	const keys = 4 // Elasticsearch adds a value of its own on a point in time
	if len(sort) < keys {
		return clientOf{}, 0, "", errAnswer
	}
	text := func(value jsontext.Value) string {
		unquoted, failed := jsontext.AppendUnquote(nil, value)
		if failed != nil {
			err = errAnswer
		}
		return string(unquoted)
	}
	number := func(value jsontext.Value) int64 {
		n, failed := strconv.ParseInt(string(value), 10, 64)
		if failed != nil {
			err = errAnswer
		}
		return n
	}
	client, started, id = clientOf{number(sort[0]), text(sort[1])}, number(sort[2]), text(sort[3])
	if string(sort[2]) == string(date.missing()) {
		started = neverStarted
	}
	return client, started, id, err
}
