package gateway

import (
	"context"
	"errors"
	"net/http"

	"github.com/scopegate/scopegate/gateway/params"
	"github.com/scopegate/scopegate/limits"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/tenancy"
)

// Errors of the gateway's own.
var (
	errPanic            = errors.New("panic")
	errNoRoute          = errors.New("no such path")
	errMethodNotAllowed = errors.New("method not allowed")
	errNoSession        = errors.New("no such session")
	errBodyTooLarge     = errors.New("body too large")
	errBodyUnreadable   = errors.New("body could not be read")
	errBodyTooSlow      = errors.New("body came too slowly")
	errBodyNotTaken     = errors.New("method takes no body")
	errContentType      = errors.New("content type is not JSON")
	errURLTooLong       = errors.New("URL too long")
	errHeaderTooLarge   = errors.New("header too large")
	errLimited          = errors.New("over a rate limit")
	errExportsBusy      = errors.New("too many exports at once")
	errNoExports        = errors.New("there are no exports")
	errOldProtocol      = errors.New("HTTP/1.0 cannot tell of a broken transfer")
	errScopeLost        = &tenancy.RefusedError{Reason: tenancy.ReasonScopeLost, Text: "a company of the export was taken from the account"}
	errExportTooLong    = errors.New("export took too long")
	errReaderTooSlow    = errors.New("reader took too long for what was written")
	errReaderGone       = errors.New("reader has gone")
	errExportShort      = errors.New("rows of an export are missing")
	errNotRecorded      = errors.New("export could not be recorded")
)

// statusCallerGone is the logged status of a request whose caller did not wait for
// the answer. It is never sent. nginx uses the same number.
const statusCallerGone = 499

// codeReaderTooSlow is the code of answers and exports whose reader was too slow.
const codeReaderTooSlow = "reader_too_slow"

// problem is the answer to one kind of error: status and text for the caller, and the
// code in logs, spans and metrics. All text is fixed: the text of an error is never
// sent to a caller.
type problem struct {
	is     error
	code   string
	status int
	detail string
	// challenge is the end of WWW-Authenticate, after the realm: the error codes of
	// RFC 6750, section 3.1. With a 401 only.
	challenge string
	// retryAfter is in seconds; 0 leaves the header out.
	retryAfter int
}

// problems maps errors to problems. The first match counts, so the gravest errors
// come first.
var problems = []problem{
	{is: search.ErrForeignRow, code: "row_outside_scope", status: 500,
		detail: "The answer was withheld because of an internal error. Please report the trace id."},
	{is: search.ErrInexact, code: "summary_inexact", status: 500,
		detail: "The answer was withheld because of an internal error. Please report the trace id."},
	{is: errPanic, code: "panic", status: 500,
		detail: "An internal error occurred. Please report the trace id."},

	// Retry-After is in the error, see limitedError.
	{is: errLimited, code: "rate_limited", status: 429,
		detail: "Too many requests. Please wait as long as Retry-After says."},
	{is: errExportsBusy, code: "exports_busy", status: 429, retryAfter: 10,
		detail: "As many exports are running as may, of this account, of its company or in all. Please try again when one has ended."},
	// Two seconds are longer than a load goes on after its callers have left.
	{is: search.ErrTooManyLoads, code: "too_many_loads", status: 429, retryAfter: 2,
		detail: "As many searches of this account are under way as may be. Please try again when one has ended."},
	{is: search.ErrBusy, code: "engine_busy", status: 503, retryAfter: 1,
		detail: "As many searches as may be are under way. Please try again later."},
	{is: limits.ErrAccountInFlight, code: "account_in_flight", status: 429, retryAfter: 5,
		detail: "This account has not read as many bytes of answers as it may be sent at once. Read them, or ask for fewer rows or fields, and try again."},
	{is: limits.ErrInFlight, code: "in_flight", status: 503, retryAfter: 5,
		detail: "As many bytes as may be are on their way to callers. Please try again later, or ask for fewer rows or fields."},
	{is: limits.ErrOwnRequests, code: "own_requests", status: 429, retryAfter: 1,
		detail: "As many requests as may be are being answered, of this account or address. Please read their answers, and try again."},
	{is: limits.ErrAllRequests, code: "all_requests", status: 503, retryAfter: 1,
		detail: "As many requests as may be are being answered. Please try again later."},
	{is: errURLTooLong, code: "url_too_long", status: 414,
		detail: "The URL is too long. POST /api/v1/sessions/search takes the same parameters in a body."},
	{is: errHeaderTooLarge, code: "header_too_large", status: 431,
		detail: "The request's header is too large."},

	{is: tenancy.ErrTokenMissing, code: "token_missing", status: 401,
		detail: "A token is required. Send it in the header \"Authorization: Bearer <token>\"."},
	{is: errCredentials, code: "credentials_malformed", status: 401, challenge: `error="invalid_request"`,
		detail: "The credentials are malformed. Send one header \"Authorization: Bearer <token>\"."},
	// The published client refreshes its token on exactly this string.
	{is: tenancy.ErrTokenExpired, code: "token_expired", status: 401,
		challenge: `error="invalid_token", error_description="Token is expired."`,
		detail:    "Token is expired."},
	{is: tenancy.ErrTokenInvalid, code: "token_invalid", status: 401,
		challenge: `error="invalid_token", error_description="Token is invalid."`,
		detail:    "Token is invalid."},
	{is: tenancy.ErrKeysUnavailable, code: "keys_unavailable", status: 503, retryAfter: 5,
		detail: "The token cannot be checked at the moment. Please try again later."},
	{is: tenancy.ErrRevocationsUnavailable, code: "revocations_unavailable", status: 503, retryAfter: 5,
		detail: "The token cannot be checked at the moment. Please try again later."},

	{is: tenancy.ErrNotSupervisor, code: "not_supervisor", status: 403,
		detail: "This account may not supervise other companies. Leave out showAllSupervised and branchIds."},
	// A foreign company and one that does not exist have the same answer, so that a
	// caller cannot find out which companies exist.
	{is: tenancy.ErrForbidden, code: "company_forbidden", status: 403,
		detail: "This account may not see that company."},
	{is: tenancy.ErrDirectoryStale, code: "directory_stale", status: 503, retryAfter: 5,
		detail: "The directory of companies is not available at the moment. Please try again later."},

	// A foreign session and one that does not exist have the same answer too.
	{is: errNoSession, code: "session_not_found", status: 404,
		detail: "There is no such session."},
	{is: errNoRoute, code: "path_not_found", status: 404,
		detail: "There is nothing at this path. See /docs for what there is."},
	{is: errMethodNotAllowed, code: "method_not_allowed", status: 405,
		detail: "This path does not support the request's method. The header Allow lists those it does."},
	{is: errBodyTooLarge, code: "body_too_large", status: 413,
		detail: "The request's body is too large."},
	{is: errBodyTooSlow, code: "body_too_slow", status: 408,
		detail: "The request's body did not come in time."},
	{is: errBodyNotTaken, code: "body_not_taken", status: 400,
		detail: "This method takes no body. Leave out the body, Content-Length and Transfer-Encoding, and send the parameters in the URL; POST /api/v1/sessions/search, /summary and /export take them in a body."},
	{is: errContentType, code: "content_type", status: 415,
		detail: "The body must be JSON. Send it plain, with \"Content-Type: application/json\"."},
	{is: errBodyUnreadable, code: "body_unreadable", status: 400,
		detail: "The request's body could not be read to its end."},

	{is: errOldProtocol, code: "http_version", status: 505,
		detail: "An export needs HTTP/1.1 or HTTP/2, by which a broken transfer can be told from a complete one. A proxy in between may be speaking HTTP/1.0."},
	{is: errNoExports, code: "exports_unavailable", status: 503,
		detail: "This gateway does not export."},
	{is: errScopeLost, code: "scope_lost", status: 403,
		detail: "A company was taken from this account while the export was running."},
	{is: errExportTooLong, code: "export_timeout", status: 504,
		detail: "The export took too long. Narrow it, or ask for fewer fields."},
	{is: export.ErrTempFull, code: "exports_full", status: 503, retryAfter: 60,
		detail: "The gateway has no room for this workbook, or for those that are being made. Ask for CSV_EXCEL, which needs none, narrow the search or ask for fewer fields, or try again later."},
	{is: errReaderTooSlow, code: codeReaderTooSlow, status: statusCallerGone},
	{is: errReaderGone, code: "caller_gone", status: statusCallerGone},
	{is: errExportShort, code: "export_short", status: 500,
		detail: "The export was withheld because rows of it are missing. Please report the trace id."},
	{is: errNotRecorded, code: "not_recorded", status: 503, retryAfter: 10,
		detail: "The export could not be recorded, and is withheld. Please try again later."},

	{is: search.ErrSnapshotBusy, code: "exports_held", status: 503, retryAfter: 10,
		detail: "Exports under way hold up what is written, and must end before another one begins. Please try again later."},
	{is: search.ErrSnapshotEnded, code: "export_ended", status: 503, retryAfter: 10,
		detail: "The export held up what is written for too long, and was ended. Narrow it, or try again when less is written."},
	{is: search.ErrPageTooLarge, code: "page_too_large", status: 400,
		detail: "The page has more bytes than a page may. Ask for fewer rows or fields."},
	{is: search.ErrTimeout, code: "search_timeout", status: 504, retryAfter: 2,
		detail: "The search took too long. Narrow it, or try again later."},
	{is: search.ErrUnavailable, code: "search_unavailable", status: 503, retryAfter: 2,
		detail: "The search is not available at the moment. Please try again later."},
}

// Problems that depend on more than the error's identity.
var (
	problemInvalid = problem{code: "invalid_parameters", status: http.StatusBadRequest}
	problemGone    = problem{code: "caller_gone", status: statusCallerGone}
	problemTimeout = problem{code: "request_timeout", status: http.StatusGatewayTimeout, retryAfter: 2,
		detail: "The request took too long. Narrow the search, or try again later."}
	problemStopped = problem{code: "canceled", status: http.StatusServiceUnavailable, retryAfter: 1,
		detail: "The work on this request was stopped. Please try again."}
	problemInternal = problem{code: "internal", status: http.StatusInternalServerError,
		detail: "An internal error occurred. Please report the trace id."}
)

// problemFor returns the problem for an error. context.Canceled means that the caller
// has gone only if the request's own context, ctx, has ended.
func problemFor(ctx context.Context, err error) problem {
	for _, p := range problems {
		if !errors.Is(err, p.is) {
			continue
		}
		var limited *limitedError
		if errors.As(err, &limited) {
			p.retryAfter = limited.retryAfter()
		}
		var charset *charsetError
		if errors.As(err, &charset) {
			p.detail = charset.detail()
		}
		return p
	}
	var faults params.Faults
	switch {
	case errors.As(err, &faults):
		return problemInvalid
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return problemGone
	case errors.Is(err, context.Canceled):
		return problemStopped
	case errors.Is(err, context.DeadlineExceeded):
		return problemTimeout
	}
	return problemInternal
}
