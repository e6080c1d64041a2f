package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/scopegate/scopegate/audit"
	"github.com/scopegate/scopegate/gateway/params"
	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/tenancy"
)

// maxAuditedCompanies bounds the companies that are listed in one audit event.
const maxAuditedCompanies = 100

// recordExport counts an export that has ended, and writes its audit event. If that
// fails, so does the export. The error is err, joined with errNotRecorded then.
func (a *api) recordExport(ctx context.Context, e *exportRun, err error) error {
	outcome := exportOutcome(ctx, err, e)
	a.meters.exports.Add(ctx, 1, metric.WithAttributes(
		attribute.String("format", string(e.req.File.Format)), attribute.String("outcome", string(outcome))))
	a.meters.exportRows.Add(ctx, e.rows)
	a.meters.exportBytes.Add(ctx, e.bytes)
	if a.audit == nil {
		return err
	}
	recordErr := a.audit.Write(ctx, e.event(ctx, outcome, err))
	if recordErr == nil {
		return err
	}
	a.logger.LogAttrs(ctx, slog.LevelError, "an export could not be recorded", slog.String("cause", reason.Of(recordErr)))
	return errors.Join(err, fmt.Errorf("%w: %w", errNotRecorded, recordErr))
}

// exportOutcome returns Refused if the export failed before anything was read and by
// the caller's fault, and Failed if it failed otherwise.
func exportOutcome(ctx context.Context, err error, e *exportRun) audit.Outcome {
	switch {
	case err == nil:
		return audit.Done
	case e.bytes == 0 && e.rows == 0 && problemFor(ctx, err).status < statusCallerGone:
		return audit.Refused
	}
	return audit.Failed
}

// event is the audit event: who exported, how much, by which filters. The values of
// filters are left out.
func (e *exportRun) event(ctx context.Context, outcome audit.Outcome, err error) audit.Event {
	account := e.principal.Account()
	sel := e.req.Selection
	details := []slog.Attr{
		slog.String("issuer", account.Issuer),
		slog.Uint64("company", uint64(e.principal.Company())),
		slog.Any("companies_asked", audited(sel.Companies)),
		slog.Any("branches_asked", audited(sel.Branches)),
		slog.Any("companies_excepted", audited(sel.ExceptCompanies)),
		slog.Any("branches_excepted", audited(sel.ExceptBranches)),
		slog.Bool("all_supervised", sel.ShowAllSupervised),
		slog.Int("scope_size", e.scope.Len()),
		slog.Any("filters", e.req.Filters),
		slog.Int("fields", e.req.Query.Fields.Len()),
		slog.String("format", string(e.req.File.Format)),
		slog.Bool("zip", e.req.File.Zip),
		slog.Bool("resumed", e.resumed()),
		slog.Int64("matched", e.total),
		slog.Int64("rows", e.rows),
		slog.Int64("bytes", e.bytes),
		slog.Float64("seconds", time.Since(e.started).Seconds()),
	}
	if err != nil {
		details = append(details, slog.String("error", problemFor(ctx, err).code))
		details = append(details, newRefusal(err).logged()...)
	}
	return audit.Event{Action: "sessions.export", Actor: account.Subject, Outcome: outcome, Details: details}
}

// audited returns the first of the companies, and a list if there are none.
func audited(companies []tenancy.CompanyID) []tenancy.CompanyID {
	return append([]tenancy.CompanyID{}, companies[:min(len(companies), maxAuditedCompanies)]...)
}

// resumed reports whether the export continues an earlier one: it is ordered by id
// alone and starts after an id.
func (e *exportRun) resumed() bool {
	sort := e.req.Query.Sort
	return e.req.Query.After != nil && len(sort) > 0 && sort[0].Field == params.IDKey
}
