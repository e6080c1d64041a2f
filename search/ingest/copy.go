package ingest

import (
	"context"

	"github.com/scopegate/scopegate/search"
)

// Snapshot is a store that can be read as it is at one moment.
type Snapshot interface {
	// Changes hands over all records as upserts, at most so many at a time, and
	// ends with f's first error, unchanged.
	Changes(ctx context.Context, most int, f func([]search.Change) error) error
}

// Copy writes all records of the snapshot, in batches of o.BatchLines; what else
// the writer's store holds stays there. It may be run again: writes are
// idempotent. Progress counts records, not bytes. The report counts what surely
// happened, also beside an error.
//
// Errors: those of the snapshot and of the writer after o.Attempts, or ctx's.
func Copy(ctx context.Context, w search.Writer, from Snapshot, o Options) (Report, error) {
	o = o.withDefaults()
	writer := retryingWriter{to: w, attempts: o.Attempts, backoff: o.Backoff}
	var report Report
	err := from.Changes(ctx, o.BatchLines, func(changes []search.Change) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		written, err := writer.write(ctx, changes)
		if err != nil {
			return err
		}
		report.Lines += int64(len(changes))
		report.Upserted += int64(written.Upserted)
		if o.Progress != nil {
			o.Progress(Progress{Lines: report.Lines})
		}
		return nil
	})
	return report, err
}
