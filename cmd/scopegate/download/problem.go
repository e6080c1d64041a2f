package download

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// AnswerError is an answer of the gateway that is not the export.
type AnswerError struct {
	Status int
	Text   string        // for the user's eyes, of one line or several
	After  time.Duration // how long to wait before asking again; 0: it was not said
}

// Error implements error.
func (e *AnswerError) Error() string {
	return fmt.Sprintf("the gateway answers %d %s: %s", e.Status, http.StatusText(e.Status), e.Text)
}

// Refused reports whether asking the same again is of no use.
func (e *AnswerError) Refused() bool { return e.Status < 500 && !e.busy() }

// busy reports whether the gateway would answer otherwise later, and has not
// begun with anything.
func (e *AnswerError) busy() bool {
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable && e.After > 0
}

// maxProblem bounds what is read of an answer that is not the export.
const maxProblem = 1 << 20

// problem is RFC 9457 with the gateway's list of what is wrong with parameters.
type problem struct {
	Title   string `json:"title"`
	Detail  string `json:"detail"`
	Error   string `json:"error"`
	TraceID string `json:"traceId"`
	Details []struct {
		Parameter string `json:"parameter"`
		Message   string `json:"message"`
	} `json:"details"`
}

// answerError reads what the gateway says instead of the export.
func answerError(r *http.Response, now time.Time) error {
	text, err := io.ReadAll(io.LimitReader(r.Body, maxProblem))
	if err != nil {
		return fmt.Errorf("reading why the gateway answers %d: %w", r.StatusCode, err)
	}
	return &AnswerError{Status: r.StatusCode, Text: problemText(r, text), After: retryAfter(r.Header.Get("Retry-After"), now)}
}

func problemText(r *http.Response, text []byte) string {
	var p problem
	if location := r.Header.Get("Location"); location != "" {
		return "it leads to " + printable(location) + ", which is not asked: the token is for the gateway named by --gateway alone"
	}
	if json.Unmarshal(text, &p) != nil || p.Title+p.Detail+p.Error == "" {
		return "what it says is no problem of a Scopegate gateway; is --gateway right?"
	}
	lines := []string{p.Error}
	if p.Detail != "" {
		lines[0] = p.Detail
	} else if p.Error == "" {
		lines[0] = p.Title
	}
	for _, d := range p.Details {
		lines = append(lines, "  "+d.Parameter+": "+d.Message)
	}
	if r.StatusCode >= 500 && p.TraceID != "" {
		lines[0] += " (trace " + p.TraceID + ")"
	}
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// printable keeps what comes from outside from steering a terminal, or filling
// it.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, text)
	const most = 2000
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// retryAfter reads the header (RFC 9110, section 10.2.3); 0 when it says nothing.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return max(time.Duration(seconds)*time.Second, time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), time.Second)
	}
	return 0
}
