package app

import (
	"context"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/tenancy"
)

// heardLog refreshes the directory as soon as the log reports a change: writes of
// companies and grants are published like those of sessions.
type heardLog struct {
	invalidation.Log

	directory *tenancy.Directory
}

// Next implements invalidation.Log.
func (l heardLog) Next(ctx context.Context, at invalidation.Offset) (invalidation.Batch, error) {
	news, err := l.Log.Next(ctx, at)
	if err == nil && len(news.Events) > 0 {
		l.directory.TriggerRefresh()
	}
	return news, err
}
