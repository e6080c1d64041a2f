package elastic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/go-json-experiment/json"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
)

// Errors in addition to those of package search. All are wrapped together with
// search.ErrUnavailable.
var (
	// ErrNoIndex: the indices do not exist.
	ErrNoIndex error = reason.Text("the index is missing: run `scopegate index create`")
	// errUncounted: the index has no column to count by.
	errUncounted error = reason.Text("the index is of an older schema, which cannot count by bot status, operator or tag: bring it up to date")
	// errLacking: the filter needs a field that only newer indexes have.
	errLacking error = reason.Text("the index is of an older schema, which cannot answer this filter: bring it up to date")
	// ErrSchema: the index was made for another mapping or folding table.
	ErrSchema error = reason.Text("the index was made by another version of scopegate, whose searches do not fit it")
	// ErrSeveral: the read alias leads to more than one index.
	ErrSeveral error = reason.Text("the read alias leads to several indices, which would bring everything more than once")
	// ErrClosed: the index is closed.
	ErrClosed error = reason.Text("the index is closed")
	// ErrLimit: a setting of Elasticsearch is lower than searches need.
	ErrLimit error = reason.Text("a limit of Elasticsearch is lower than searches need")
)

var (
	// errRefused: Elasticsearch regards the request, or a document, as invalid: a
	// retry does not help.
	errRefused = errors.New("request refused")
	// errBusy marks a search.ErrUnavailable that may be over soon.
	errBusy = errors.New("too busy")
	// errTurnedAway is an errBusy of a cluster that does answer.
	errTurnedAway = fmt.Errorf("%w", errBusy)
	// errTooMuch is an errRefused caused by the size of a request.
	errTooMuch = fmt.Errorf("%w: %w", errRefused, reason.Text("a request has more bytes than Elasticsearch, or a proxy before it, takes"))
	// errTooLarge: the answer has more bytes than the limit for reading it.
	errTooLarge = fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, reason.Text("an answer has more bytes than it can have"))
	// errPageTooLarge: the page's rows have more bytes than a page may have.
	errPageTooLarge = fmt.Errorf("elasticsearch: %w", search.ErrPageTooLarge)
	// errBlocked: Elasticsearch refuses writes. It does so for an index when its
	// disk gets full.
	errBlocked error = reason.Text("the index is blocked for writes: most often, the disk of Elasticsearch is full")
	// errReadBlocked: Elasticsearch refuses searches of an index, because an
	// operator blocked it.
	errReadBlocked error = reason.Text("the index is blocked")
	// errConflict: the document does not have the version that was to be replaced.
	errConflict = errors.New("version conflict")
	// errShort: fewer rows came than were counted at the same moment.
	errShort = fmt.Errorf("%w: fewer rows came than were counted", errAnswer)
	// errExists: the index to be made exists already.
	errExists = errors.New("the index exists")
	// errAnswer: the answer is not one of Elasticsearch.
	errAnswer = fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, reason.Text("what answers is not Elasticsearch, or a version that cannot be read"))
	// errStored: the answer cannot be read, most likely because a stored document
	// is not valid JSON.
	errStored = fmt.Errorf("%w: a document cannot be read", errAnswer)
)

// contextError returns the context's error as package search defines it, nil when
// there is none.
func contextError(ctx context.Context) error {
	switch err := ctx.Err(); {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("elasticsearch: %w: %w", search.ErrTimeout, err)
	case err != nil:
		return fmt.Errorf("elasticsearch: %w", err)
	}
	return nil
}

// transportError converts the error of a request without an answer. It keeps only
// the words of package reason: the error's text may quote what was sent.
func transportError(ctx context.Context, err error) error {
	if err := contextError(ctx); err != nil {
		return err
	}
	if errors.Is(err, errSilent) {
		return fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, errSilent)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("elasticsearch: %w: %w", search.ErrTimeout, reason.Text("no answer: "+reason.Of(err)))
	}
	return fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, reason.Text("no connection: "+reason.Of(err)))
}

// answerError converts an answer that is an error. Elasticsearch's reasons quote
// queries and documents. So it keeps the reason only for requests that contain
// neither, and for types of errors that are about the cluster; otherwise it keeps
// only the type.
func answerError(ctx context.Context, request esapi.Request, status int, body []byte) error {
	if err := contextError(ctx); err != nil {
		return err
	}
	kind, why := errorType(body)
	words := fmt.Sprintf("status %d", status)
	if kind != "" {
		words += ", " + kind
	}
	if why != "" && (isAdministrative(request) || isAboutCluster(kind)) {
		words += ": " + why
	}
	what := reason.Text(words)
	switch {
	case kind == "index_not_found_exception":
		return fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrNoIndex)
	case kind == "resource_already_exists_exception":
		return fmt.Errorf("elasticsearch: %w", errExists)
	case status == http.StatusConflict && kind == "version_conflict_engine_exception":
		return fmt.Errorf("elasticsearch: %w", errConflict)
	case kind == "index_closed_exception":
		return fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrClosed)
	case isBlock(status, kind) && isWrite(request):
		return fmt.Errorf("elasticsearch: %w: %w (%w)", search.ErrUnavailable, errBlocked, what)
	case isBlock(status, kind):
		return fmt.Errorf("elasticsearch: %w: %w (%w)", search.ErrUnavailable, errReadBlocked, what)
	case isLimit(kind, why):
		return limitError(settingName(why))
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("elasticsearch: %w: the credentials are wrong or lack a privilege (%w)", search.ErrUnavailable, what)
	case status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout:
		return fmt.Errorf("elasticsearch: %w: %w", search.ErrTimeout, what)
	case status == http.StatusTooManyRequests:
		return fmt.Errorf("elasticsearch: %w: %w (%w)", search.ErrUnavailable, errTurnedAway, what)
	case isBusy(status):
		return fmt.Errorf("elasticsearch: %w: %w (%w)", search.ErrUnavailable, errBusy, what)
	case status == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("elasticsearch: %w (%w)", errTooMuch, what)
	case status >= http.StatusInternalServerError, status == http.StatusNotFound:
		return fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, what)
	}
	return fmt.Errorf("elasticsearch: %w: %w", errRefused, what)
}

// isBlock distinguishes the block of an index from that of a starting cluster,
// which has status 503.
func isBlock(status int, kind string) bool {
	return kind == "cluster_block_exception" && (status == http.StatusForbidden || status == http.StatusTooManyRequests)
}

// isWrite reports whether the request stores something.
func isWrite(request esapi.Request) bool {
	switch request.(type) {
	case esapi.BulkRequest, esapi.IndexRequest, esapi.DeleteRequest, esapi.IndicesCreateRequest:
		return true
	}
	return false
}

// limitWords come before the name of the setting whose limit a request exceeds.
const limitWords = "can be set by changing the ["

// isLimit reports whether a request exceeded a limit that is a setting of
// Elasticsearch. All limits of searches are far above what they need, unless
// somebody lowers one.
func isLimit(kind, why string) bool {
	return kind == "too_many_nested_clauses" || kind == "too_many_clauses" || strings.Contains(why, limitWords)
}

// settingName returns the setting's name, "" when the reason has none.
func settingName(why string) string {
	_, rest, _ := strings.Cut(why, limitWords)
	name, _, ended := strings.Cut(rest, "]")
	if !ended || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_.") != "" {
		return ""
	}
	return name
}

func isBusy(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// isAdministrative reports whether a request contains neither search terms nor
// stored data. Such requests name only indices and settings, which are the
// operator's.
func isAdministrative(request esapi.Request) bool {
	switch request.(type) {
	case esapi.CatIndicesRequest, esapi.IndicesCreateRequest, esapi.IndicesGetRequest, esapi.IndicesGetMappingRequest, esapi.IndicesRefreshRequest,
		esapi.IndicesStatsRequest, esapi.InfoRequest, esapi.OpenPointInTimeRequest:
		return true
	}
	return false
}

// isAboutCluster reports whether the reasons of this type of error name only
// indices, nodes and sizes, whatever the request.
func isAboutCluster(kind string) bool {
	switch kind {
	case "circuit_breaking_exception", "cluster_block_exception", "master_not_discovered_exception":
		return true
	}
	return false
}

// errorType returns the innermost type in the answer, with its reason; "" if there
// is none.
func errorType(body []byte) (kind, why string) {
	var answer struct {
		Error fault `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return "", ""
	}
	return answer.Error.kind(), answer.Error.why()
}

// fault is an error as Elasticsearch writes it.
type fault struct {
	Type      string `json:"type"`
	Reason    string `json:"reason"`
	RootCause []struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	} `json:"root_cause"`
}

// maxReason is the longest part of a reason that is kept, in bytes.
const maxReason = 500

// why returns the reason that belongs to the kind, on one line.
func (f fault) why() string {
	why := f.Reason
	if len(f.RootCause) > 0 {
		why = f.RootCause[0].Reason
	}
	why = strings.Join(strings.Fields(strings.ToValidUTF8(why, "?")), " ")
	return strings.ToValidUTF8(why[:min(len(why), maxReason)], "")
}

func (f fault) kind() string {
	kind := f.Type
	if len(f.RootCause) > 0 {
		kind = f.RootCause[0].Type
	}
	if strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "" // not a word from the vocabulary of types
	}
	return kind
}
