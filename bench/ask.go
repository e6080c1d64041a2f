package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
)

const (
	searchPath = "/api/v1/sessions/search"
	listPath   = "/api/v1/sessions"
)

// query is the body of a search.
type query map[string]any

// and is the query with further parameters.
func (q query) and(more query) query {
	both := query{}
	for _, from := range []query{q, more} {
		for name, value := range from {
			both[name] = value
		}
	}
	return both
}

func everything() query { return query{"showAllSupervised": true} }

func pageOnly() query { return query{"withoutCount": true} }

// caller writes the requests of one account to one gateway.
type caller struct {
	address string // HOST:PORT
	token   string
}

func (c caller) header() http.Header {
	return http.Header{"Authorization": {"Bearer " + c.token}, "Accept": {"application/json"}}
}

// searches writes a POST for each query.
func (c caller) searches(queries []query) ([]request, error) {
	header := c.header()
	header.Set("Content-Type", "application/json")
	requests := make([]request, len(queries))
	for i, q := range queries {
		body, err := json.Marshal(q)
		if err != nil {
			return nil, err
		}
		requests[i] = newRequest(http.MethodPost, c.address, searchPath, header, body)
	}
	return requests, nil
}

// answers sends each request once, one after the other, and returns the bodies.
func answers(ctx context.Context, address string, requests []request) ([][]byte, error) {
	c := &connection{address: address}
	defer c.close()
	bodies := make([][]byte, len(requests))
	for i, r := range requests {
		var body bytes.Buffer
		if _, err := c.send(ctx, r, &body); err != nil {
			return nil, fmt.Errorf("asking %s: %w", address, err)
		}
		bodies[i] = body.Bytes()
	}
	return bodies, nil
}

// dice draws what is asked for: the same in every run.
type dice struct{ *rand.Rand }

func newDice() dice {
	return dice{rand.New(rand.NewPCG(1, 2))} // #nosec G404 -- searches need not be secret, and should repeat
}

// scope asks for so many companies: a site, or districts with all their sites.
func (d dice) scope(companies int) query {
	if companies < districtSize {
		return query{"companyIds": []int{companyID(d.IntN(districts), 1+d.IntN(districtSize-1))}}
	}
	heads := d.Perm(districts)[:companies/districtSize]
	for i, district := range heads {
		heads[i] = companyID(district, 0)
	}
	return query{"companyIds": heads, "showAllSupervised": true}
}

// scopes draws n scopes of so many companies.
func (d dice) scopes(n, companies int) []query {
	drawn := make([]query, n)
	for i := range drawn {
		drawn[i] = d.scope(companies)
	}
	return drawn
}
