package gateway

import (
	"embed"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/gin-gonic/gin"

	contract "github.com/scopegate/scopegate/api"
	"github.com/scopegate/scopegate/search"
)

//go:embed docspage/*.html docspage/*.js docspage/*.css docspage/*.svg docspage/swagger-ui
var docsFiles embed.FS

// docsPolicy is the Content-Security-Policy of the page at /docs, which may load from
// and call its own origin only. It has no inline scripts or styles; the style sheet
// of Swagger UI holds icons as data URLs.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; " +
	"img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// document is a file that anyone may read, without a token.
type document struct {
	path, contentType string
	body              []byte
	etag              string
	gzipped           func() []byte
}

// docsPages are the files of the page at /docs.
var docsPages = []struct{ path, contentType, file string }{
	{"/docs", "text/html; charset=utf-8", "index.html"},
	{"/docs/", "text/html; charset=utf-8", "index.html"},
	{"/docs/page.js", "text/javascript; charset=utf-8", "page.js"},
	{"/docs/page.css", "text/css; charset=utf-8", "page.css"},
	{"/docs/icon.svg", "image/svg+xml", "icon.svg"},
	{"/docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8", "swagger-ui/swagger-ui-bundle.js"},
	{"/docs/swagger-ui.css", "text/css; charset=utf-8", "swagger-ui/swagger-ui.css"},
	{"/docs/LICENSE", "text/plain; charset=utf-8", "swagger-ui/LICENSE"},
	{"/docs/NOTICE", "text/plain; charset=utf-8", "swagger-ui/NOTICE"},
	{"/docs/swagger-ui-bundle.js.LICENSE.txt", "text/plain; charset=utf-8", "swagger-ui/swagger-ui-bundle.js.LICENSE.txt"},
}

// routeDocs adds the routes of the contract, /openapi.yaml and /openapi.json, and of
// the page at /docs, which shows it and sends requests.
func (a *api) routeDocs(routes gin.IRoutes) error {
	documents, err := a.documents()
	if err != nil {
		return err
	}
	for _, d := range documents {
		a.get(routes, d.path, func(c *gin.Context) error { return a.serveDocument(c, d) })
	}
	return nil
}

// documents returns the contract and the files of the page.
func (a *api) documents() ([]document, error) {
	json, err := contract.JSON()
	if err != nil {
		return nil, err
	}
	documents := []document{
		a.document("/openapi.yaml", "application/yaml", contract.YAML()), // RFC 9512
		a.document("/openapi.json", "application/json", json),
	}
	for _, page := range docsPages {
		body, err := docsFiles.ReadFile("docspage/" + page.file)
		if err != nil {
			return nil, fmt.Errorf("docs page: %w", err)
		}
		documents = append(documents, a.document(page.path, page.contentType, body))
	}
	return documents, nil
}

// document makes a document, which is compressed when that is first needed: for most
// gateways never.
func (a *api) document(path, contentType string, body []byte) document {
	return document{
		path: path, contentType: contentType, body: body,
		etag:    newETag(newContent(body), search.Position{}),
		gzipped: sync.OnceValue(func() []byte { return a.compressors.compress(newContent(body)) }),
	}
}

// serveDocument answers with the document, or with 304 if the caller has it already.
func (a *api) serveDocument(c *gin.Context, d document) error {
	h := c.Writer.Header()
	h.Set("ETag", d.etag)
	addVary(h, "Accept-Encoding")
	h.Set("Content-Security-Policy", docsPolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	if matchesETag(c.Request.Header.Values("If-None-Match"), d.etag) {
		c.Status(http.StatusNotModified)
		c.Writer.WriteHeaderNow()
		return nil
	}
	body := d.body
	if len(body) >= minGzipBytes && acceptsGzip(c.Request.Header.Values("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		body = d.gzipped()
	}
	h.Set("Content-Type", d.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.Status(http.StatusOK)
	a.write(c, newContent(body))
	return nil
}
