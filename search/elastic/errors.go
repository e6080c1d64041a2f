package elastic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/scopegate/scopegate/search"
)

// Errors beside those of package search. Both come with search.ErrUnavailable.
var (
	// ErrNoIndex: the indices are not there.
	ErrNoIndex = errors.New("the index is missing: run `scopegate index create`")
	// ErrSchema: the index was made for another mapping or folding table.
	ErrSchema = errors.New("the index was made by another version of scopegate, whose searches do not fit it: make a new one and import again")
)

var (
	// errRefused: Elasticsearch takes the request, or a document, for wrong:
	// trying later does not help.
	errRefused = errors.New("request refused")
	// errBusy is why search.ErrUnavailable may be over soon.
	errBusy = errors.New("too busy")
	// errTooLarge: the answer has more bytes than are read of it.
	errTooLarge = fmt.Errorf("elasticsearch: %w: an answer has more bytes than it can have", search.ErrUnavailable)
	// errPageTooLarge: the page's rows have more bytes than a page may.
	errPageTooLarge = fmt.Errorf("elasticsearch: %w", search.ErrPageTooLarge)
	// errBlocked: Elasticsearch takes no writes, which it does to an index when its
	// disk gets full.
	errBlocked = errors.New("the index is blocked for writes: most often, the disk of Elasticsearch is full")
	// errExists: the index to be made is there.
	errExists = errors.New("the index exists")
	// errAnswer: what came back is no answer of Elasticsearch's.
	errAnswer = fmt.Errorf("elasticsearch: %w: what answers is not Elasticsearch, or a version that cannot be read", search.ErrUnavailable)
)

// contextError is the context's error as package search has it, nil while it
// has none.
func contextError(ctx context.Context) error {
	switch err := ctx.Err(); {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("elasticsearch: %w: %w", search.ErrTimeout, err)
	case err != nil:
		return fmt.Errorf("elasticsearch: %w", err)
	}
	return nil
}

// transportError is for a request without an answer. The text of the error is
// left out: it may quote what was sent.
func transportError(ctx context.Context, err error) error {
	if err := contextError(ctx); err != nil {
		return err
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("elasticsearch: %w", search.ErrTimeout)
	}
	return fmt.Errorf("elasticsearch: %w: no connection", search.ErrUnavailable)
}

// answerError is for an answer that is an error. Of Elasticsearch's own words
// only the error's type goes on: reasons quote queries and documents.
func answerError(ctx context.Context, status int, body []byte) error {
	if err := contextError(ctx); err != nil {
		return err
	}
	kind := errorType(body)
	what := fmt.Sprintf("status %d", status)
	if kind != "" {
		what += ", " + kind
	}
	switch {
	case kind == "index_not_found_exception":
		return fmt.Errorf("elasticsearch: %w: %w", search.ErrUnavailable, ErrNoIndex)
	case kind == "resource_already_exists_exception":
		return fmt.Errorf("elasticsearch: %w", errExists)
	case isBlock(status, kind):
		return fmt.Errorf("elasticsearch: %w: %w (%s)", search.ErrUnavailable, errBlocked, what)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("elasticsearch: %w: the credentials are wrong or lack a privilege (%s)", search.ErrUnavailable, what)
	case status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout:
		return fmt.Errorf("elasticsearch: %w: %s", search.ErrTimeout, what)
	case isBusy(status):
		return fmt.Errorf("elasticsearch: %w: %w (%s)", search.ErrUnavailable, errBusy, what)
	case status >= http.StatusInternalServerError, status == http.StatusNotFound:
		return fmt.Errorf("elasticsearch: %w: %s", search.ErrUnavailable, what)
	}
	return fmt.Errorf("elasticsearch: %w: %s", errRefused, what)
}

// isBlock tells the block of an index from that of a cluster that is starting,
// which comes with 503.
func isBlock(status int, kind string) bool {
	return kind == "cluster_block_exception" && (status == http.StatusForbidden || status == http.StatusTooManyRequests)
}

func isBusy(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// errorType is the innermost type that the answer names, "" if there is none.
func errorType(body []byte) string {
	var answer struct {
		Error fault `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	return answer.Error.kind()
}

// fault is an error as Elasticsearch writes it.
type fault struct {
	Type      string `json:"type"`
	RootCause []struct {
		Type string `json:"type"`
	} `json:"root_cause"`
}

func (f fault) kind() string {
	kind := f.Type
	if len(f.RootCause) > 0 {
		kind = f.RootCause[0].Type
	}
	if strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "" // no word of the vocabulary of types
	}
	return kind
}
