package download

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/scopegate/scopegate/pause"
)

// ClientOptions say whom to ask, and as whom.
type ClientOptions struct {
	Gateway     *url.URL
	Token       string         // a bearer token
	Authorities *x509.CertPool // nil: the system's
	// Tries is how often a gateway is asked that is busy (429, or 503 with
	// Retry-After); 0: DefaultTries.
	Tries int
	// MaxWait is the longest wait between two tries; a gateway that asks for a
	// longer one is not asked again. 0: DefaultMaxWait.
	MaxWait time.Duration
	// Waiting is told before each wait; nil: nobody is.
	Waiting func(why error, wait time.Duration)
}

// Defaults of ClientOptions.
const (
	DefaultTries   = 5
	DefaultMaxWait = 2 * time.Minute
)

const (
	connectTimeout = 30 * time.Second
	pingAfter      = 15 * time.Second // of silence, over HTTP/2; TCP keeps itself alive
)

// Client asks one gateway for exports.
type Client struct {
	o    ClientOptions
	http *http.Client
}

// NewClient takes the options. Close it.
func NewClient(o ClientOptions) *Client {
	if o.Tries == 0 {
		o.Tries = DefaultTries
	}
	if o.MaxWait == 0 {
		o.MaxWait = DefaultMaxWait
	}
	return &Client{o: o, http: &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     &tls.Config{RootCAs: o.Authorities, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: connectTimeout,
			ForceAttemptHTTP2:   true,
			HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter},
		},
		// SECURITY: whoever the gateway may send us to gets neither the token nor
		// the names and phones of the body.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close lets go of the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ask returns the answer that is the export; its body is the caller's to close.
// A busy gateway is asked again when it says.
//
// Errors: *AnswerError, or why there is no answer.
func (c *Client) ask(ctx context.Context, q Query, mediaType string) (*http.Response, error) {
	body, err := q.body()
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		response, err := c.post(ctx, body, mediaType)
		var said *AnswerError
		if !errors.As(err, &said) || !said.busy() || try == c.o.Tries {
			return response, err
		}
		wait := said.After
		if wait == 0 {
			wait = time.Second << (try - 1)
		}
		if wait > c.o.MaxWait {
			return nil, fmt.Errorf("%w (not before %s)", err, wait)
		}
		if c.o.Waiting != nil {
			c.o.Waiting(err, wait)
		}
		if !pause.For(ctx, wait) {
			return nil, ctx.Err()
		}
	}
}

const exportPath = "api/v1/sessions/export"

func (c *Client) post(ctx context.Context, body []byte, mediaType string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.o.Gateway.JoinPath(exportPath).String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.o.Token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept-Encoding", gzipCoding) // asked for by ourselves: see decode
	request.Header.Set("TE", "trailers")              // some proxies hand trailers on to those who say so
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	err = decode(response)
	switch {
	case response.StatusCode != http.StatusOK: // what cannot be decoded is no problem of a gateway
		err = answerError(response, time.Now())
	case err == nil:
		err = checkAnswer(response, mediaType)
	}
	if err != nil {
		_ = response.Body.Close() // it tells nothing any more
		return nil, err
	}
	return response, nil
}

var errNoExport = errors.New("the answer is no export of a Scopegate gateway; is --gateway right?")

// checkAnswer looks at what is there before the first byte.
func checkAnswer(r *http.Response, mediaType string) error {
	contentType, _ := only(r.Header, "Content-Type")
	got, _, err := mime.ParseMediaType(contentType)
	if err != nil || got != mediaType || totalOf(r) < 0 {
		return errNoExport
	}
	// A body that ends when the connection does has no end that could be missed.
	if r.ProtoMajor < 2 && r.ContentLength < 0 && !slices.Contains(r.TransferEncoding, "chunked") {
		return fmt.Errorf("%w (a proxy in between speaks HTTP/1.0, which cannot tell a whole file from a part)", errNoExport)
	}
	return nil
}

// totalOf is how many sessions match; negative when the answer does not say.
func totalOf(r *http.Response) int64 {
	text, _ := only(r.Header, "X-Total-Count")
	return count(text)
}

// only is the value of a header or trailer; "" when there is none. It is not ok
// when values differ: which of them is true cannot be known.
func only(h http.Header, name string) (value string, ok bool) {
	values := h.Values(name)
	if len(values) == 0 {
		return "", true
	}
	for _, other := range values[1:] {
		if other != values[0] {
			return "", false
		}
	}
	return values[0], true
}

// count reads a number of rows; -1 for what is none.
func count(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}
