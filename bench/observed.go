package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// observedCommand serves the least that a hit can take of a gateway on Gin and the
// SDK of OpenTelemetry: bytes that are there already, in memory or in Redis, and of
// each request the five spans, two metrics and the log line that the gateway
// promises. Nobody is authenticated, nothing is decoded, no scope is resolved, and
// the spans go nowhere.
type observedCommand struct {
	Redis  string `required:"" help:"HOST:PORT, where the values are."`
	Again  bool   `help:"Read them from there each time, and not only the first."`
	Prefix string `required:"" help:"What the names of the values begin with."`
}

// Run serves until it is told to end, and tells where as the gateway does.
func (c observedCommand) Run(ctx context.Context, std streams) error {
	client := redis.NewClient(&redis.Options{Addr: c.Redis})
	o, err := newObserver(std)
	if err != nil {
		return errors.Join(err, client.Close())
	}
	var values sync.Map
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(o.observe)
	engine.GET("/:name", func(g *gin.Context) { //nolint:contextcheck // the request's context is the right one
		name := c.Prefix + g.Param("name")
		value, known := values.Load(name)
		if !known || c.Again {
			read, err := client.Get(g.Request.Context(), name).Bytes()
			if err != nil {
				g.Status(http.StatusBadGateway)
				return
			}
			values.Store(name, read)
			value = read
		}
		g.Data(http.StatusOK, "application/json; charset=utf-8", value.([]byte))
	})
	return errors.Join(serveAsGateway(ctx, std, engine), client.Close())
}

// observer tells of each request what the gateway does.
type observer struct {
	tracer   trace.Tracer
	duration metric.Float64Histogram
	active   metric.Int64UpDownCounter
	logger   *slog.Logger
}

func newObserver(std streams) (*observer, error) {
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())).Meter("bench")
	duration, err1 := meter.Float64Histogram("http.server.request.duration")
	active, err2 := meter.Int64UpDownCounter("http.server.active_requests")
	return &observer{
		tracer:   sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(nowhere{})).Tracer("bench"),
		duration: duration, active: active, logger: slog.New(slog.NewJSONHandler(std.err, nil)),
	}, errors.Join(err1, err2)
}

func (o *observer) observe(g *gin.Context) {
	began := time.Now()
	route := metric.WithAttributes(attribute.String("http.request.method", g.Request.Method), attribute.String("http.route", g.FullPath()))
	ctx, span := o.tracer.Start(g.Request.Context(), "GET /:name", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", g.Request.Method), attribute.String("http.route", g.FullPath())))
	o.active.Add(ctx, 1, route)
	for _, step := range []string{"auth", "scope", "cache"} {
		_, s := o.tracer.Start(ctx, step)
		s.End()
	}
	_, encode := o.tracer.Start(ctx, "encode")
	g.Next()
	encode.End()
	span.SetAttributes(attribute.Int("http.response.status_code", g.Writer.Status()))
	span.End()
	took := time.Since(began)
	o.active.Add(ctx, -1, route)
	o.duration.Record(ctx, took.Seconds(), route)
	o.logger.LogAttrs(ctx, slog.LevelInfo, "request",
		slog.String("trace_id", span.SpanContext().TraceID().String()), slog.String("method", g.Request.Method),
		slog.String("route", g.FullPath()), slog.Int("status", g.Writer.Status()),
		slog.Float64("duration_ms", float64(took)/float64(time.Millisecond)), slog.Int("bytes", g.Writer.Size()))
}

// nowhere is a processor of spans that keeps none.
type nowhere struct{}

var _ sdktrace.SpanProcessor = nowhere{}

// OnStart implements sdktrace.SpanProcessor.
func (nowhere) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements sdktrace.SpanProcessor.
func (nowhere) OnEnd(sdktrace.ReadOnlySpan) {}

// Shutdown implements sdktrace.SpanProcessor.
func (nowhere) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (nowhere) ForceFlush(context.Context) error { return nil }
