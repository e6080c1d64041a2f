package main

import (
	"context"

	"github.com/scopegate/scopegate/cache"
	"github.com/scopegate/scopegate/tenancy"
)

// heardLog has the directory hurry when there are news: writers of companies and
// grants touch them as those of sessions do.
type heardLog struct {
	cache.Log

	directory *tenancy.Directory
}

// Next implements cache.Log.
func (l heardLog) Next(ctx context.Context, at cache.Mark) (cache.News, error) {
	news, err := l.Log.Next(ctx, at)
	if err == nil && len(news.Touches) > 0 {
		l.directory.Hurry()
	}
	return news, err
}
