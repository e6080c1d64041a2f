package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"
)

// ginCommand serves what a hit in Redis is compared with: a Gin handler without
// any middleware that GETs one value from Redis and sends it.
type ginCommand struct {
	Redis  string `required:"" help:"HOST:PORT"`
	Prefix string `required:"" help:"What the names of the values begin with."`
}

// Run serves until it is told to end, and tells where as the gateway does.
func (c ginCommand) Run(ctx context.Context, std streams) error {
	gin.SetMode(gin.ReleaseMode)
	client := redis.NewClient(&redis.Options{Addr: c.Redis})
	engine := gin.New()
	engine.GET("/:name", func(g *gin.Context) { //nolint:contextcheck // the request's context is the right one
		value, err := client.Get(g.Request.Context(), c.Prefix+g.Param("name")).Bytes()
		if err != nil {
			g.Status(http.StatusBadGateway)
			return
		}
		g.Data(http.StatusOK, "application/json; charset=utf-8", value)
	})
	return errors.Join(serveAsGateway(ctx, std, engine), client.Close())
}
