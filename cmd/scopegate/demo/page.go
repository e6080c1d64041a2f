package demo

import (
	"bytes"
	_ "embed" // of page.html
	"html/template"
	"net/http"
	"sync/atomic"
)

//go:embed page.html
var pageSource string

// Page is what the demo answers at "/": the report as HTML, which asks for
// nothing else, neither here nor elsewhere.
type Page struct {
	template *template.Template
	html     atomic.Pointer[[]byte] // nil until there is something to show
}

// NewPage makes a page that says that the demo is starting.
func NewPage() (*Page, error) {
	parsed, err := template.New("page").Parse(pageSource)
	return &Page{template: parsed}, err
}

// Show puts the report on the page.
func (p *Page) Show(t Report) error {
	var html bytes.Buffer
	if err := p.template.Execute(&html, t); err != nil {
		return err
	}
	text := html.Bytes()
	p.html.Store(&text)
	return nil
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	html := p.html.Load()
	if html == nil {
		header.Set("Retry-After", "1")
		http.Error(w, "The demo is starting. Try again in a second.", http.StatusServiceUnavailable)
		return
	}
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	_, _ = w.Write(*html) // a reader who has gone is no concern of ours
}
