package app

import (
	"context"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/tenancy"
)

// heardLog has the directory hurry when there are news: writers of companies and
// grants touch them as those of sessions do.
type heardLog struct {
	invalidation.Log

	directory *tenancy.Directory
}

// Next implements invalidation.Log.
func (l heardLog) Next(ctx context.Context, at invalidation.Offset) (invalidation.Batch, error) {
	news, err := l.Log.Next(ctx, at)
	if err == nil && len(news.Events) > 0 {
		l.directory.Hurry()
	}
	return news, err
}
