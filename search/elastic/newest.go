package elastic

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// clientOf identifies a client of a company.
type clientOf struct {
	company int64
	client  string
}

// Names of aggregations and of the sources of their keys.
const (
	perClient, withoutClient    = "clients", "others"
	sourceCompany, sourceClient = "company", "client"
)

// clientPaths are the needed parts of an answer with clients.
const clientPaths = "took timed_out pit_id _shards.total _shards.failed hits.total aggregations." + withoutClient +
	" aggregations." + perClient + ".after_key aggregations." + perClient + ".buckets.key aggregations." + perClient + ".buckets.doc_count"

var errTooManyClients = fmt.Errorf("elasticsearch: %w", search.ErrTooManyClients)

// countClients counts the clients with matching sessions, and the sessions without a
// client: what keepNewest keeps. It reads the clients page by page, on the view's
// point in time. That is exact for any number of shards: each sends its next ones.
func (v *view) countClients(ctx context.Context, query stdjson.RawMessage) (int64, error) {
	composite := clause{"size": v.store.limits.clientsAtOnce, "sources": []clause{
		{sourceCompany: clause{"terms": clause{"field": "companyId"}}},
		{sourceClient: clause{"terms": clause{"field": "clientId"}}},
	}}
	aggs := clause{perClient: clause{"composite": composite}, withoutClient: clause{"missing": clause{"field": "clientId"}}}
	clients, others := 0, int64(0)
	for first := true; ; first = false {
		a, err := v.ask(ctx, query, request{Count: first, Aggs: aggs}, paths(clientPaths)...)
		if err != nil {
			return 0, err
		}
		if first && a.Hits.Total.Value > int64(v.store.limits.mostOfClients) {
			return 0, errTooManyClients
		}
		if first {
			others = a.Aggs[withoutClient].Count
			delete(aggs, withoutClient)
		}
		for _, b := range a.Aggs[perClient].Buckets {
			client, err := b.member(sourceClient)
			if err != nil {
				return 0, err
			}
			if string(client) == `""` { // an empty clientId is none
				others += b.Count
			} else {
				clients++
			}
		}
		if clients > v.store.limits.mostClients {
			return 0, errTooManyClients
		}
		if len(a.Aggs[perClient].After) == 0 {
			return int64(clients) + others, nil
		}
		composite["after"] = a.Aggs[perClient].After
	}
}

// keepNewest narrows the query to the newest session of each client, and sessions
// without a client. The view must be on a point in time, so that the ids that it
// finds are those of all requests of the search.
func (v *view) keepNewest(ctx context.Context, query stdjson.RawMessage) (stdjson.RawMessage, error) {
	all, err := v.ask(ctx, query, request{Count: true})
	if err != nil {
		return nil, err
	}
	if all.Hits.Total.Value > int64(v.store.limits.mostOfClients) {
		return nil, errTooManyClients
	}
	ids, err := v.newestIDs(ctx, query)
	if err != nil {
		return nil, err
	}
	kept := []clause{not(clause{"exists": clause{"field": "clientId"}}), term("clientId", "")}
	if len(ids) > 0 {
		kept = append(kept, clause{"terms": clause{"id": ids}})
	}
	return narrowed(query, anyClause(kept...))
}

// newestIDs reads every match with a client, the newest first, and returns the id of
// the first one of each client. A query for the sessions that started when the newest
// of a client did would match fewer, but Elasticsearch compares a list of dates one
// by one.
func (v *view) newestIDs(ctx context.Context, query stdjson.RawMessage) ([]string, error) {
	query, err := narrowed(query, clause{"exists": clause{"field": "clientId"}})
	if err != nil {
		return nil, err
	}
	_, startedAt, _ := session.FieldByName("startedAt")
	newestFirst := sortTerm{field: startedAt, column: "startedAt", desc: true}
	// The last two are there to be read.
	r := request{Size: v.store.limits.window, Stored: "_none_", Sort: []clause{
		newestFirst.clause(), {"id": clause{"order": "desc"}}, {"companyId": clause{"numeric_type": "long"}}, {"clientId": clause{"order": "asc"}},
	}}
	seen := map[clientOf]bool{}
	var ids []string
	for {
		a, err := v.ask(ctx, query, r, paths(stepPaths)...)
		if err != nil {
			return nil, err
		}
		for _, h := range a.Hits.Hits {
			id, client, err := readClient(h.Sort)
			if err != nil {
				return nil, err
			}
			if client.client != "" && !seen[client] {
				seen[client] = true
				ids = append(ids, id)
			}
		}
		if len(ids) > v.store.limits.mostClients {
			return nil, errTooManyClients
		}
		if len(a.Hits.Hits) < r.Size {
			return ids, nil
		}
		r.SearchAfter = a.Hits.Hits[r.Size-1].Sort
	}
}

// readClient reads the sort values of newestIDs.
func readClient(sort []jsontext.Value) (id string, client clientOf, err error) {
	const atID, atCompany, atClient = 1, 2, 3
	if len(sort) <= atClient { // Elasticsearch adds a value of its own on a point in time
		return "", clientOf{}, errAnswer
	}
	var err1, err2, err3 error
	var idText, clientText []byte
	idText, err1 = jsontext.AppendUnquote(nil, sort[atID])
	client.company, err2 = strconv.ParseInt(string(sort[atCompany]), 10, 64)
	clientText, err3 = jsontext.AppendUnquote(nil, sort[atClient])
	if errors.Join(err1, err2, err3) != nil {
		return "", clientOf{}, errAnswer
	}
	client.client = string(clientText)
	return string(idText), client, nil
}
