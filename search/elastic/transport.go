package elastic

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

const (
	dialTimeout = 3 * time.Second
	// idlePerNode is the number of idle connections that are kept per node; the
	// default of 2 would open and close one for nearly every search under load.
	idlePerNode = 128
	idleTimeout = 90 * time.Second
)

// client sends requests and reads answers.
type client struct {
	// requests is the client's transport. We do not use its root package: it
	// imports the typed API, which takes minutes to compile.
	requests   *elastictransport.Client
	nodes      *nodes
	instrument elastictransport.Instrumentation
	own        *http.Transport // nil: the caller provides and closes it
	buffers    sync.Pool       // of *[]byte: buffers for reading answers
}

func newClient(o Options) (*client, error) {
	c := &client{instrument: newInstrumentation()}
	transport := o.Transport
	if transport == nil {
		own, err := newTransport(o)
		if err != nil {
			return nil, err
		}
		c.own, transport = own, own
	}
	var err error
	c.nodes = newNodes(o, transport)
	first := c.nodes.all[0].url
	c.requests, err = elastictransport.NewClient(append(credentials(o),
		elastictransport.WithURLs(&url.URL{Scheme: first.Scheme, Host: first.Host}), // for all requests: nodes sets the address
		elastictransport.WithTransport(transport),
		elastictransport.WithDisableRetry(),
		elastictransport.WithInterceptors(c.nodes.through),
		elastictransport.WithInstrumentation(c.instrument),
	)...)
	if err != nil {
		return nil, errors.New("elasticsearch: the client cannot be made of these options")
	}
	return c, nil
}

func credentials(o Options) []elastictransport.Option {
	switch {
	case o.APIKey != "":
		return []elastictransport.Option{elastictransport.WithAPIKey(o.APIKey)}
	case o.Username != "" || o.Password != "":
		return []elastictransport.Option{elastictransport.WithBasicAuth(o.Username, o.Password)}
	}
	return nil
}

// authorize adds the credentials to a probe, as the client does to requests.
func (o Options) authorize(r *http.Request) {
	switch {
	case o.APIKey != "":
		r.Header.Set("Authorization", "ApiKey "+o.APIKey)
	case o.Username != "" || o.Password != "":
		r.SetBasicAuth(o.Username, o.Password)
	}
}

// addresses parses the addresses, which are valid.
func addresses(o Options) []*url.URL {
	var urls []*url.URL
	for _, address := range o.Addresses {
		if u, err := url.Parse(strings.TrimRight(address, "/")); err == nil {
			urls = append(urls, u)
		}
	}
	return urls
}

func newTransport(o Options) (*http.Transport, error) {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   dialTimeout,
		ExpectContinueTimeout: time.Second,
		MaxIdleConnsPerHost:   idlePerNode,
		IdleConnTimeout:       idleTimeout,
		ForceAttemptHTTP2:     false,
		// Gateway and cluster are usually close to each other: compressing an
		// answer takes longer than sending it.
		DisableCompression: true,
	}
	pem, err := o.authorities()
	if err != nil || len(pem) == 0 {
		return t, err
	}
	t.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("elasticsearch: the CA certificate is not in PEM form")
	}
	return t, nil
}

// close stops the probes of nodes that are down. It fails only when it was called
// before.
func (c *client) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = c.requests.Close(ctx)
	c.nodes.close()
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// call sends the request and decodes the whole answer into a pointer; nil: none.
// Errors are those of package search, or say that the request is invalid.
func (c *client) call(ctx context.Context, request esapi.Request, into any) error {
	return c.use(ctx, request, maxReply, func(body []byte) error {
		if into == nil {
			return nil
		}
		return decode(body, into)
	})
}

func decode(body []byte, into any) error {
	// Elasticsearch has already checked stored documents for duplicate keys.
	if err := json.Unmarshal(body, into, jsontext.AllowDuplicateNames(true)); err != nil {
		return errAnswer
	}
	return nil
}

const (
	// maxPooled is the largest buffer, in bytes, that is reused for the next answer.
	maxPooled = 256 << 10
	// maxAnswer limits how many bytes are read of an answer without a limit of its
	// own. The largest are those of ten thousand sort values, companies or buckets.
	maxAnswer = 128 << 20
	// maxReply limits how many bytes are read of answers to other requests than
	// searches: descriptions of indices, and the results of a write of some
	// thousand documents.
	maxReply = 32 << 20
	// maxFault limits how many bytes are read of an answer that is an error.
	maxFault = 1 << 20
)

// use sends the request and passes the whole answer to f, which must not retain it.
// An answer of more than limit bytes is errTooLarge.
func (c *client) use(ctx context.Context, request esapi.Request, limit int, f func(body []byte) error) error {
	buffer, ok := c.buffers.Get().(*[]byte)
	if !ok {
		buffer = new([]byte)
	}
	body, err := c.read(ctx, request, *buffer, limit)
	if err == nil {
		err = f(body)
	}
	if cap(body) <= maxPooled {
		*buffer = body
		c.buffers.Put(buffer)
	}
	return err
}

// read sends the request and reads the whole answer into the buffer, which may
// grow. An answer of more than limit bytes is errTooLarge.
func (c *client) read(ctx context.Context, request esapi.Request, buffer []byte, limit int) ([]byte, error) {
	res, err := request.Do(markRepeatable(ctx, request), c.requests)
	if err != nil {
		return buffer, transportError(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	isFault := res.StatusCode >= http.StatusBadRequest
	if isFault {
		limit = maxFault
	}
	buffer, err = readAll(res.Body, buffer[:0], limit)
	switch {
	case err != nil && !errors.Is(err, errTooLarge):
		return buffer, transportError(ctx, err)
	case isFault:
		err = answerError(ctx, request, res.StatusCode, buffer)
		if errors.Is(err, errRefused) && res.StatusCode != http.StatusRequestEntityTooLarge && !isElasticsearch(res.Header) {
			err = errAnswer // from a proxy, or from a port that expects TLS
		}
		return buffer, err
	case err != nil:
		return buffer, err
	case !isElasticsearch(res.Header):
		return buffer, errAnswer
	}
	return buffer, nil
}

func isElasticsearch(header http.Header) bool {
	return header.Get("X-Elastic-Product") == "Elasticsearch"
}

// readAll is io.ReadAll into a reused buffer.
func readAll(r io.Reader, buffer []byte, limit int) ([]byte, error) {
	for {
		if len(buffer) == cap(buffer) {
			buffer = slices.Grow(buffer, 1<<10)
		}
		n, err := r.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		switch {
		case errors.Is(err, io.EOF):
			return buffer, nil
		case err != nil:
			return buffer, err
		case len(buffer) > limit:
			return buffer, errTooLarge
		}
	}
}

// paths splits a list of the parts of an answer to request.
func paths(list string) []string { return strings.Fields(list) }

// instrumentation is the client's own: a span for each request without its body. It
// takes the tracer from the context, as all our code does, not from a global. No
// path contains an id of a session.
type instrumentation struct {
	elastictransport.Instrumentation
}

var _ elastictransport.Instrumentation = instrumentation{}

// Start begins the span; all other methods find it in the context.
func (instrumentation) Start(ctx context.Context, name string) context.Context {
	provider := trace.SpanFromContext(ctx).TracerProvider()
	return clientInstrumentation(provider).Start(ctx, name)
}

func newInstrumentation() instrumentation {
	return instrumentation{clientInstrumentation(noop.NewTracerProvider())}
}

func clientInstrumentation(provider trace.TracerProvider) elastictransport.Instrumentation {
	const captureBody = false
	return elastictransport.NewOtelInstrumentation(provider, captureBody, esapi.Version)
}
