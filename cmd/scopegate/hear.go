package main

import (
	"context"
	"time"

	"github.com/scopegate/scopegate/cache"
	"github.com/scopegate/scopegate/tenancy"
)

// hearEvery is how often the directory is read again at most because of news: an
// import has some all the time.
const hearEvery = 500 * time.Millisecond

// heardLog tells somebody else of its news, too: writers of companies and grants
// touch them as those of sessions do.
type heardLog struct {
	cache.Log

	news chan struct{} // of 1: what is in it has not been heard yet
}

// Next implements cache.Log.
func (l heardLog) Next(ctx context.Context, at cache.Mark) (cache.News, error) {
	news, err := l.Log.Next(ctx, at)
	if err == nil && len(news.Touches) > 0 {
		select {
		case l.news <- struct{}{}:
		default:
		}
	}
	return news, err
}

// hearing is the log, whose news have the directory read again at once, and not only
// when its interval is over.
func hearing(ctx context.Context, log cache.Log, directory *tenancy.Directory, closers *closeStack) cache.Log {
	l := heardLog{Log: log, news: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		beat := time.NewTicker(hearEvery)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-l.news:
				_ = directory.Refresh(ctx) // it refreshes itself, too, and tells of what fails
			}
			select {
			case <-ctx.Done():
				return
			case <-beat.C:
			}
		}
	}()
	closers.push(func() error { cancel(); <-stopped; return nil })
	return l
}
