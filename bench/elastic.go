package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// elastic is Elasticsearch as this command sees to it, beside the gateway.
type elastic struct {
	url   string // http://HOST:PORT
	index string // what the names of the gateway's indices begin with
}

// sessions is the alias that the gateway reads sessions by.
func (e elastic) sessions() string { return e.index + "-sessions" }

func (e elastic) host() string { return strings.TrimPrefix(e.url, "http://") }

// documents is the number of sessions, 0 when there is no index.
func (e elastic) documents(ctx context.Context) (int, error) {
	var answer struct {
		Count int `json:"count"`
	}
	err := e.ask(ctx, http.MethodGet, "/"+e.sessions()+"/_count?ignore_unavailable=true", &answer)
	return answer.Count, err
}

// forget drops what Elasticsearch keeps of earlier searches.
func (e elastic) forget(ctx context.Context) error {
	return e.ask(ctx, http.MethodPost, "/"+e.sessions()+"/_cache/clear", nil)
}

// remove removes the gateway's indices; those that are not there are fine.
func (e elastic) remove(ctx context.Context) error {
	indices := map[string]json.RawMessage{}
	if err := e.ask(ctx, http.MethodGet, "/"+e.index+"-*/_alias", &indices); err != nil {
		return err
	}
	for name := range indices {
		if err := e.ask(ctx, http.MethodDelete, "/"+url.PathEscape(name), nil); err != nil {
			return err
		}
	}
	return nil
}

// rest returns when no merge is under way: it would take its share of the
// machine from what is measured.
func (e elastic) rest(ctx context.Context) error {
	for {
		var stats struct {
			All struct {
				Total struct {
					Merges struct {
						Current int `json:"current"`
					} `json:"merges"`
				} `json:"total"`
			} `json:"_all"`
		}
		if err := e.ask(ctx, http.MethodGet, "/"+e.sessions()+"/_stats/merge", &stats); err != nil {
			return err
		}
		if stats.All.Total.Merges.Current == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// ask sends a request without a body and reads the answer into to, unless that
// is nil.
func (e elastic) ask(ctx context.Context, method, path string, to any) error {
	return e.send(ctx, method, path, "", func(answer io.Reader) error {
		if to == nil {
			return nil
		}
		return json.NewDecoder(answer).Decode(to)
	})
}

// send sends a request with a body of JSON, "" for none, and has the answer read.
func (e elastic) send(ctx context.Context, method, path, body string, read func(io.Reader) error) (err error) {
	r, err := http.NewRequestWithContext(ctx, method, e.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("elasticsearch: %s %s: %s", method, path, answer.Status)
	}
	return read(answer.Body)
}
