package elastic

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/session/jsonscan"
	"github.com/scopegate/scopegate/tenancy"
)

// dumpKeepAlive is how long the point in time of a dump survives after each
// request: the reader of the dump may be slow.
const dumpKeepAlive = "15m"

// Changes passes all records of one point in time to f as upserts, in batches of at
// most most records: companies first, then grants, then sessions in wire form.
// Documents that this version refuses are passed as Unfit in the same call, as they
// are stored. Writes that finished before Changes was called are included. It reads
// indices of older schemas too. It stops at the first error of f and returns it
// unchanged.
//
// Elasticsearch opens the shards of a point in time one after another, within
// milliseconds: of two writes in that moment, only the later one may be included.
//
// SECURITY: this reads without a tenant scope. It is for the operator's commands;
// the gateway does not call it.
func (s *Store) Changes(ctx context.Context, most int, f func([]session.Change, []session.Unfit) error) error {
	d := dumping{store: s, most: most, f: f}
	indices := make([]string, 0, len(kinds()))
	for _, k := range kinds() {
		index, err := s.readable(ctx, k.of)
		if err != nil {
			return err
		}
		if err := s.refresh(ctx, index); err != nil {
			return err
		}
		indices = append(indices, index)
	}
	return s.onPointInTime(ctx, strings.Join(indices, ","), func(at *pit) error {
		d.at = &pit{ID: at.ID, KeepAlive: dumpKeepAlive}
		sessions, companies, grants := indices[0], indices[1], indices[2]
		for _, part := range []struct {
			index string
			each  func(hit) error
		}{{companies, d.company}, {grants, d.grant}} {
			if err := d.documents(ctx, inIndex(part.index), part.each); err != nil {
				return err
			}
		}
		sound := clause{"bool": clause{
			"filter": []clause{inIndex(sessions), {"exists": clause{"field": "companyId"}}}, "must_not": leftOut(),
		}}
		if err := d.sessions(ctx, sound); err != nil {
			return err
		}
		return d.documents(ctx, clause{"bool": clause{"filter": []clause{inIndex(sessions)}, "must_not": sound}}, d.noSession)
	})
}

func inIndex(index string) clause { return clause{"term": clause{"_index": index}} }

// leftOut matches documents that searches leave out. Indices of schema 1 lack the
// field, so there it matches nothing.
func leftOut() clause { return clause{"exists": clause{"field": faultsField}} }

// readable returns the index that a kind is read from. It may have an older schema.
func (s *Store) readable(ctx context.Context, of session.Kind) (string, error) {
	name, index, err := s.readIndex(ctx, of)
	if err != nil {
		return "", err
	}
	switch m := index.Mappings.Meta.Scopegate; {
	case index.Settings.Index.Closed == "true":
		return "", fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrClosed)
	case m.Version > s.steps.Newest().Schema: // its fields may be unknown
		return "", m.newer(s.steps)
	}
	return name, nil
}

// dumping passes records on in batches.
type dumping struct {
	store *Store
	at    *pit
	most  int
	f     func([]session.Change, []session.Unfit) error

	changes []session.Change
	unfit   []session.Unfit
}

// hand passes the current batch to f.
func (d *dumping) hand() error {
	if len(d.changes)+len(d.unfit) == 0 {
		return nil
	}
	err := d.f(d.changes, d.unfit)
	d.changes, d.unfit = nil, nil
	return err
}

func (d *dumping) handFull() error {
	if len(d.changes)+len(d.unfit) < d.most {
		return nil
	}
	return d.hand()
}

// documents reads all matching documents, whatever they contain.
func (d *dumping) documents(ctx context.Context, query clause, each func(hit) error) error {
	body, err := stdjson.Marshal(query)
	if err != nil {
		return fmt.Errorf("elasticsearch: query: %w", err)
	}
	var refused error
	err = d.store.each(ctx, d.at, body, func(h hit) {
		if refused == nil {
			refused = each(h)
		}
	})
	if refused != nil {
		return refused
	}
	if err != nil {
		return err
	}
	return d.hand()
}

func (d *dumping) company(h hit) error {
	c, err := tenancy.DecodeCompany(stdjson.RawMessage(h.Source))
	if err != nil {
		return d.leave(session.KindCompany, h, err)
	}
	d.changes = append(d.changes, session.Change{Kind: session.KindCompany, Company: c})
	return d.handFull()
}

func (d *dumping) grant(h hit) error {
	g, err := tenancy.DecodeGrant(stdjson.RawMessage(h.Source))
	if err != nil {
		return d.leave(session.KindGrant, h, err)
	}
	d.changes = append(d.changes, session.Change{Kind: session.KindGrant, Grant: g})
	return d.handFull()
}

// noSession handles a document without a company, or with values that searches
// cannot read.
func (d *dumping) noSession(h hit) error {
	_, err := session.Parse(h.Source)
	if err == nil {
		err = fmt.Errorf("%w: searches leave it out", session.ErrDocument)
	}
	return d.leave(session.KindSession, h, err)
}

// leave passes on a document that is not a valid record.
func (d *dumping) leave(of session.Kind, h hit, why error) error {
	document := h.Source
	if document.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		document = nil // no answer contains it completely
	}
	d.unfit = append(d.unfit, session.Unfit{Kind: of, ID: h.ID, Document: document, Err: why})
	return d.handFull()
}

// sessions reads sessions as searches do.
func (d *dumping) sessions(ctx context.Context, query clause) error {
	body, err := stdjson.Marshal(query)
	if err != nil {
		return fmt.Errorf("elasticsearch: query: %w", err)
	}
	size := d.store.limits.firstRows
	r := request{Sort: []clause{{"_shard_doc": "asc"}}, Source: true, Columns: []string{"companyId"}}
	v := &view{store: d.store, pit: d.at}
	for {
		r.Size = size
		a, err := v.ask(ctx, body, r)
		if errors.Is(err, errTooLarge) && size > 1 {
			size /= 2
			continue
		}
		if err != nil {
			return err
		}
		for _, h := range a.Hits.Hits {
			if err := d.session(h); err != nil {
				return err
			}
		}
		if len(a.Hits.Hits) < size {
			return d.hand()
		}
		r.SearchAfter = a.Hits.Hits[size-1].Sort
		size = min(2*size, d.store.limits.batchRows)
	}
}

func (d *dumping) session(h hit) error {
	wire, err := openedHit{company: h.company, source: h.Source, inWireForm: h.inWireForm}.wire()
	if err != nil {
		return err
	}
	doc, err := session.Parse(wire)
	if err != nil {
		d.unfit = append(d.unfit, session.Unfit{Kind: session.KindSession, ID: idOf(wire), Document: wire, Err: err})
	} else {
		d.changes = append(d.changes, session.Change{Kind: session.KindSession, Session: doc})
	}
	return d.handFull()
}

// idOf returns the id of a session. wire must be an object.
func idOf(wire []byte) string {
	s := jsonscan.New(wire)
	for s.Open('{'); s.Member(); {
		if string(s.Name) == "id" {
			id, _ := jsontext.AppendUnquote(nil, s.Value)
			return string(id)
		}
	}
	return ""
}
