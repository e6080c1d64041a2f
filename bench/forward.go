package main

import (
	"context"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// forwardCommand serves what any proxy in front of Elasticsearch takes at least
// that is written in Go: it passes requests and answers on and looks at neither.
type forwardCommand struct {
	To string `required:"" help:"http://HOST:PORT"`
}

// forwarded is how many connections it keeps: as many as the gateway.
const forwarded = 128

// Run serves until it is told to end, and tells where as the gateway does.
func (c forwardCommand) Run(ctx context.Context, std streams) error {
	to, err := url.Parse(c.To)
	if err != nil {
		return err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: forwarded, DisableCompression: true}
	defer transport.CloseIdleConnections()
	return serveAsGateway(ctx, std, &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: transport,
	})
}
