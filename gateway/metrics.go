package gateway

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/scopegate/scopegate/meter"
	"github.com/scopegate/scopegate/tenancy"
)

// meters are the gateway's instruments. None has a tenant as a label: there are too
// many tenants, and the traffic of one must not be visible to others.
type meters struct {
	duration   metric.Float64Histogram
	active     metric.Int64UpDownCounter
	parts      metric.Int64Counter
	engine     metric.Float64Histogram
	violations metric.Int64Counter
	charged    metric.Float64Histogram
	limited    metric.Int64Counter
	refused    metric.Int64Counter
	stalled    metric.Int64Counter
	inFlight   metric.Int64UpDownCounter

	exports       metric.Int64Counter
	exportsActive metric.Int64UpDownCounter
	exportRows    metric.Int64Counter
	exportBytes   metric.Int64Counter

	requests sync.Map // requestLabel to labelled
	served   map[componentLabel]componentOptions
}

// requestLabel has the labels of a request. The set of attributes for a label is made
// once, since making one costs more than counting. There is one for each route,
// method and status; no label is a caller's text.
type requestLabel struct {
	method, route string
	status        int // 0: not answered yet
}

// labelled is a set of attributes, as an option of counters and of histograms.
type labelled struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

func labelledBy(attrs ...attribute.KeyValue) labelled {
	set := metric.WithAttributeSet(attribute.NewSet(attrs...))
	return labelled{add: []metric.AddOption{set}, record: []metric.RecordOption{set}}
}

// componentLabel has the labels of a count, page or summary.
type componentLabel struct{ part, served string }

// componentOptions are attribute sets of a component: with who served it, and
// without.
type componentOptions struct{ served, part labelled }

func newComponentLabels() map[componentLabel]componentOptions {
	labels := map[componentLabel]componentOptions{}
	for _, part := range []string{"count", "page", "summary"} {
		name := attribute.String("part", part)
		for _, served := range []string{"engine", "memory", "redis"} {
			labels[componentLabel{part, served}] = componentOptions{labelledBy(name, attribute.String("served", served)), labelledBy(name)}
		}
	}
	return labels
}

// request returns the attribute set for the label.
func (m *meters) request(l requestLabel) labelled {
	if options, ok := m.requests.Load(l); ok {
		return options.(labelled)
	}
	attrs := routeAttributes(l.method, l.route)
	if l.status != 0 {
		attrs = append(attrs, attribute.Int("http.response.status_code", l.status))
	}
	made := labelledBy(attrs...)
	m.requests.Store(l, made)
	return made
}

// durationBuckets, in seconds, are those that OpenTelemetry's HTTP conventions
// advise, and two shorter ones for answers from the cache.
var durationBuckets = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

func newMeters(provider metric.MeterProvider) (*meters, error) {
	b := meter.NewBuilder(provider, instrumentation)
	m := meters{
		duration:   b.Seconds("http.server.request.duration", "Duration of requests to the public API.", durationBuckets...),
		active:     b.UpDownCounter("http.server.active_requests", "{request}", "Requests to the public API that are being answered."),
		parts:      b.Counter("scopegate.search.parts", "{part}", "Counts, pages and summaries answered, by who answered them."),
		engine:     b.Seconds("scopegate.search.engine.duration", "What the engine took for a count, a page or a summary that it answered.", durationBuckets...),
		violations: b.Counter("scopegate.scope.violations", "{answer}", "Answers refused because a row was outside the tenant scope. Any is an alert."),
		charged:    b.Seconds("scopegate.limits.charge.duration", "How long requests waited until they were charged to the rate limits.", 0.0001, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
		limited:    b.Counter("scopegate.limits.refused", "{request}", "Requests refused because they were over a limit, by which."),
		refused:    b.Counter("scopegate.auth.refused", "{request}", "Requests refused because of who sent them or could not be told, by reason."),
		stalled:    b.Counter("scopegate.answers.stalled", "{answer}", "Answers that were broken off because their reader did not take them in time."),
		inFlight:   b.UpDownCounter("scopegate.answers.in_flight", "By", "Bytes of answers, exports aside, that callers have yet to read."),

		exports:       b.Counter("scopegate.exports", "{export}", "Exports that have ended, by format and outcome."),
		exportsActive: b.UpDownCounter("scopegate.exports.active", "{export}", "Exports that are running; each holds a snapshot of its engine."),
		exportRows:    b.Counter("scopegate.exports.rows", "{row}", "Rows that have left in exports."),
		exportBytes:   b.Counter("scopegate.exports.bytes", "By", "Bytes of files that have left in exports, before any content coding."),

		served: newComponentLabels(),
	}
	if err := b.Err(); err != nil {
		return nil, err
	}
	// Alerts need a counter to exist before its first event.
	m.violations.Add(context.Background(), 0)
	for _, reason := range tenancy.Reasons() {
		m.refused.Add(context.Background(), 0, metric.WithAttributes(refusal{reason: reason}.reasonAttribute()))
	}
	for _, limit := range []string{limitAddress, limitAccount, limitCompany, limitExports, limitLoads, limitEngine, limitAccountInFlight, limitInFlight, limitRequests, limitOwnRequests} {
		m.limited.Add(context.Background(), 0, byLimit(limit))
	}
	return &m, nil
}

// Names of limits, in metrics and in the RateLimit headers.
const (
	limitAddress = "address"
	limitAccount = "account"
	limitCompany = "company"
	limitExports = "exports"       // exports at once
	limitLoads   = "account_loads" // loads of an account at once
	limitEngine  = "engine"        // loads of all accounts at once

	limitAccountInFlight = "account_in_flight" // bytes in flight of an account
	limitInFlight        = "in_flight"         // bytes in flight of all accounts
	limitRequests        = "requests"          // requests at once
	limitOwnRequests     = "own_requests"      // requests at once of an account or address
)

func byLimit(limit string) metric.AddOption {
	return metric.WithAttributes(attribute.String("limit", limit))
}

// overLimit counts a request that the limit has refused.
func (m *meters) overLimit(ctx context.Context, limit string) { m.limited.Add(ctx, 1, byLimit(limit)) }

// addInFlight adds to the bytes in flight; more may be negative.
func (m *meters) addInFlight(more int64) { m.inFlight.Add(context.Background(), more) }

// measure counts and times requests by route, method and status.
func (a *api) measure(c *gin.Context) {
	state := stateFrom(c)
	label := requestLabel{method: methodName(c.Request), route: routeTemplate(c)}
	ctx := c.Request.Context()
	// Active requests are counted by method and route: they have no status yet.
	active := a.meters.request(label).add
	a.meters.active.Add(ctx, 1, active...)
	defer func() {
		a.meters.active.Add(ctx, -1, active...)
		label.status = c.Writer.Status()
		a.meters.duration.Record(ctx, time.Since(state.started).Seconds(), a.meters.request(label).record...)
	}()
	c.Next()
}

// recordComponent counts a component by who served it.
func (m *meters) recordComponent(ctx context.Context, p component) {
	label := m.served[componentLabel{p.name, cmp.Or(p.provenance.Tier, "engine")}]
	m.parts.Add(ctx, 1, label.served.add...)
	if !p.provenance.Hit() {
		m.engine.Record(ctx, p.provenance.Took.Seconds(), label.part.record...)
	}
}
