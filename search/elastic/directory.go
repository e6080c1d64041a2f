package elastic

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// loadAttempts is how often Load tries to open both indices at one moment.
const loadAttempts = 5

// errChanging reports that the directory changed during every attempt to read it.
var errChanging = fmt.Errorf("elasticsearch: %w: companies and grants kept changing while they were opened", search.ErrUnavailable)

// Load reads all companies and grants as they were at one moment. It sees every
// change that was acknowledged before it began. A document that is not a valid
// company or grant does not stop it: it is listed among the faults, by _id. While
// both companies and grants are written to without a pause, grants that are written
// at that very moment may be missing.
func (s *Store) Load(ctx context.Context) (tenancy.Records, error) {
	d, err := s.loadDirectory(ctx)
	if errors.Is(err, errChanging) {
		d, err = s.loadLasting(ctx)
	}
	return d.records, err
}

// directory is the result of Load, with the place and the version of each document.
type directory struct {
	records tenancy.Records
	seen    map[place]*revision
}

func (s *Store) loadDirectory(ctx context.Context) (directory, error) {
	// SECURITY: with two indices behind an alias, a grant that was deleted from one
	// is still in the other; and a foreign index would be a directory without
	// companies.
	for _, of := range []session.Kind{session.KindCompany, session.KindGrant} {
		if err := s.describe(ctx, of); isFinalRefusal(err) {
			return directory{}, err
		}
	}
	for range loadAttempts {
		d, still, err := s.tryLoad(ctx)
		if err != nil || still {
			return d, err
		}
	}
	return directory{}, errChanging
}

// tryLoad opens a point in time of each index and reads both, however long that
// takes. A point in time of both indices together does not exist, and old companies
// with new grants could show somebody what was never theirs. So if more than one
// shard was written to since before the refreshes, still is false and nothing is
// read. If only one was, both indices are as they were when that one was opened.
func (s *Store) tryLoad(ctx context.Context) (d directory, still bool, err error) {
	companies, grants := s.names(session.KindCompany).read, s.names(session.KindGrant).read
	before, err := s.directoryShards(ctx)
	if err != nil {
		return directory{}, false, err
	}
	err = s.onFreshPoint(ctx, companies, func(ofCompanies *pit) error {
		return s.onFreshPoint(ctx, grants, func(ofGrants *pit) error {
			after, err := s.directoryShards(ctx)
			if still = err == nil && changes(before, after) <= 1; !still {
				return err
			}
			d, err = s.read(ctx, ofCompanies, ofGrants, allGrants)
			return err
		})
	})
	if err != nil {
		return directory{}, false, err
	}
	return d, still, nil
}

// changes counts the shards that have another state, or are in one list only. Both
// lists are sorted.
func changes(before, after []string) int {
	if len(before) != len(after) {
		return len(before) + len(after)
	}
	n := 0
	for i := range before {
		if before[i] != after[i] {
			n++
		}
	}
	return n
}

// loadLasting reads the companies, and those grants that existed unchanged both
// before and after the companies were opened: they existed at that moment too.
func (s *Store) loadLasting(ctx context.Context) (d directory, err error) {
	companies, grants := s.names(session.KindCompany).read, s.names(session.KindGrant).read
	err = s.onFreshPoint(ctx, grants, func(first *pit) error {
		return s.onFreshPoint(ctx, companies, func(ofCompanies *pit) error {
			return s.onFreshPoint(ctx, grants, func(second *pit) error {
				before := map[string]revision{}
				if err := s.each(ctx, first, nil, func(h hit) { before[h.ID] = h.revision }); err != nil {
					return err
				}
				d, err = s.read(ctx, ofCompanies, second, func(h hit) bool { return before[h.ID] == h.revision })
				return err
			})
		})
	})
	if err != nil {
		return directory{}, err
	}
	return d, nil
}

// onFreshPoint is like onPointInTime, but first makes all earlier writes
// searchable: without that, a change that Version reported might be missing.
func (s *Store) onFreshPoint(ctx context.Context, index string, f func(at *pit) error) error {
	if err := s.refresh(ctx, index); err != nil {
		return err
	}
	return s.onPointInTime(ctx, index, f)
}

func allGrants(hit) bool { return true }

// read reads both points in time. wanted selects the grants. If a company has
// several documents, the valid ones count.
func (s *Store) read(ctx context.Context, companies, grants *pit, wanted func(hit) bool) (directory, error) {
	d := directory{seen: map[place]*revision{}}
	var repaired []tenancy.Company
	err := s.each(ctx, companies, nil, func(h hit) {
		c, ok, fault := companyOf(h)
		switch {
		case fault == nil:
			d.records.Companies = append(d.records.Companies, c)
		case ok:
			repaired = append(repaired, c)
			d.fault(h.ID, fmt.Sprintf("company %d", c.ID), "what is wrong of it does not count", fault)
		default:
			d.fault(h.ID, "a company", "it is left out", fault)
		}
		d.seen[place{index: s.names(session.KindCompany).write, id: h.ID}] = &h.revision
	})
	if err != nil {
		return directory{}, err
	}
	d.add(repaired)
	err = s.each(ctx, grants, nil, func(h hit) {
		switch g, fault := grantOf(h); {
		case fault != nil:
			d.fault(h.ID, "a grant", "it is left out", fault)
		case wanted(h):
			d.records.Grants = append(d.records.Grants, g)
		}
		d.seen[place{index: s.names(session.KindGrant).write, id: h.ID}] = &h.revision
	})
	if err != nil {
		return directory{}, err
	}
	return d, nil
}

// maxShownID is the largest part of an _id that is shown, in bytes.
const maxShownID = 128

func (d *directory) fault(id, what, outcome string, why error) {
	if len(id) > maxShownID {
		id = id[:maxShownID] + "…"
	}
	d.records.Faults = append(d.records.Faults, fmt.Sprintf("%s, stored under the _id %q: %s (%v)", what, id, outcome, why))
}

// add adds repaired companies whose id occurs only once.
func (d *directory) add(repaired []tenancy.Company) {
	if len(repaired) == 0 {
		return
	}
	sound := make(map[tenancy.CompanyID]bool, len(d.records.Companies))
	for _, c := range d.records.Companies {
		sound[c.ID] = true
	}
	for _, c := range repaired {
		if !sound[c.ID] {
			d.records.Companies = append(d.records.Companies, c)
		}
	}
}

// errUnread is the fault of a document that no answer contains completely.
var errUnread = fmt.Errorf("%w: it is too large, or no JSON", tenancy.ErrInvalidRecord)

func companyOf(h hit) (c tenancy.Company, ok bool, fault error) {
	if h.Source == nil {
		return c, false, errUnread
	}
	return tenancy.RepairCompany(stdjson.RawMessage(h.Source))
}

func grantOf(h hit) (tenancy.Grant, error) {
	if h.Source == nil {
		return tenancy.Grant{}, errUnread
	}
	return tenancy.DecodeGrant(stdjson.RawMessage(h.Source))
}

// each reads all documents of a point in time, in any order; a nil query selects
// all. If an answer is too large or unreadable, or may become so, it requests fewer
// documents, down to the single one that causes it. Of that one it reads only the
// _id.
func (s *Store) each(ctx context.Context, at *pit, query stdjson.RawMessage, f func(h hit)) error {
	r := request{Query: query, Size: s.limits.window, Sort: []clause{{"_shard_doc": "asc"}}, Source: true, Versions: true, PIT: at}
	for {
		a, err := s.askDirectory(ctx, r)
		switch unread := errors.Is(err, errTooLarge) || errors.Is(err, errAnswer); {
		case (unread || errors.Is(err, ErrLimit)) && r.Size > 1:
			r.Size /= 2
			continue
		case unread && r.Source:
			r.Source = false
			continue
		case err != nil:
			return err
		}
		for _, h := range a.Hits.Hits {
			f(h)
		}
		if len(a.Hits.Hits) < r.Size {
			return nil
		}
		r.SearchAfter = a.Hits.Hits[r.Size-1].Sort
		r.Source, r.Size = true, min(2*r.Size, s.limits.window)
	}
}

// askDirectory is the only search without a tenant scope: scopes are made from its
// result. Its point in time contains no sessions.
func (s *Store) askDirectory(ctx context.Context, r request) (answer, error) {
	body, err := stdjson.Marshal(r)
	if err != nil {
		return answer{}, fmt.Errorf("elasticsearch: query: %w", err)
	}
	var a answer
	err = s.client.use(ctx, esapi.SearchRequest{
		Body: bytes.NewReader(body), AllowPartialSearchResults: new(false), Instrument: s.client.instrument,
	}, s.limits.directoryBytes, func(body []byte) error {
		// Invalid text in a document is a fault of that document alone.
		if json.Unmarshal(body, &a, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
			return errAnswer
		}
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	return a, a.check(false)
}

// shardStats show how far the writes of a shard have progressed.
type shardStats struct {
	Routing struct {
		Primary bool   `json:"primary"`
		Node    string `json:"node"`
	} `json:"routing"`
	SeqNo struct {
		Max    int64 `json:"max_seq_no"`        // assigned to a write
		Local  int64 `json:"local_checkpoint"`  // completed on this copy
		Global int64 `json:"global_checkpoint"` // completed on every copy
	} `json:"seq_no"`
	Commit struct {
		UserData struct {
			History string `json:"history_uuid"`
		} `json:"user_data"`
	} `json:"commit"`
	Leases struct {
		Term int64 `json:"primary_term"`
	} `json:"retention_leases"`
}

// versionPaths are the parts of the statistics that make up a version.
const versionPaths = "indices.*.uuid indices.*.shards.*.routing indices.*.shards.*.seq_no" +
	" indices.*.shards.*.commit.user_data.history_uuid indices.*.shards.*.retention_leases.primary_term"

// Version changes with every write, whoever wrote. It consists of Elasticsearch's
// own sequence numbers. They change again when the write is complete, and when it
// is complete on every copy, so that data that was loaded during the write is
// loaded again. The numbers are valid only within one history of one index, and
// until another node takes over, so Version contains those identifiers too.
func (s *Store) Version(ctx context.Context) (string, error) {
	shards, err := s.directoryShards(ctx)
	return strings.Join(shards, "; "), err
}

// directoryShards returns the parts of Version, sorted.
func (s *Store) directoryShards(ctx context.Context) ([]string, error) {
	indices := []string{s.names(session.KindCompany).read, s.names(session.KindGrant).read}
	parts, err := shardParts(ctx, s.client, statistics{indices, "docs", versionPaths}, describeWrites)
	if err != nil {
		return nil, err
	}
	if len(parts) < len(indices) {
		return nil, fmt.Errorf("elasticsearch: %w: the directory's indices are not all there", search.ErrUnavailable)
	}
	return parts, nil
}

func describeWrites(shard string, copies []shardStats) ([]string, error) {
	at := slices.IndexFunc(copies, func(c shardStats) bool { return c.Routing.Primary })
	if at < 0 {
		return nil, fmt.Errorf("elasticsearch: %w: a shard of the directory has no primary", search.ErrUnavailable)
	}
	c := copies[at]
	return []string{fmt.Sprintf("%s %s %s %d %d %d %d", shard, c.Commit.UserData.History,
		c.Routing.Node, c.Leases.Term, c.SeqNo.Max, c.SeqNo.Local, c.SeqNo.Global)}, nil
}
