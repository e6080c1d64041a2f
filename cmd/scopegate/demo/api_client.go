package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// ResultRow is one session as the demo prints it.
type ResultRow struct {
	StartedAt     string `json:"startedAt"`
	CompanyName   string `json:"companyName"`
	Name          string `json:"name"`
	MessengerType string `json:"messengerType"`
	WhatsappPhone string `json:"whatsappPhone"`
	Status        string `json:"status"`
}

// SearchResult is one search that the demo ran through its own listener.
type SearchResult struct {
	Count       int64
	Rows        []ResultRow
	CacheStatus string
	Timing      string        // Server-Timing
	Took        time.Duration // as the caller saw it, over HTTP
	TraceID     string        // "" when the answer named none
}

// shownQuery is what the demo searches: the newest sessions of all companies
// that the supervisor supervises.
const shownQuery = "/api/v1/sessions?showAllSupervised=true&limit=5" +
	"&fields=startedAt,companyName,name,messengerType,whatsappPhone,status"

// APIClient uses the demo from outside, as anybody would: over HTTP.
type APIClient struct {
	Client *http.Client
	URL    string // of the listener, http://HOST:PORT
}

// maxAnswer bounds what an APIClient reads.
const maxAnswer = 1 << 20

// errNotReady: the gateway is still starting.
var errNotReady = errors.New("not ready")

// Login gets a token for the account.
func (v APIClient) Login(ctx context.Context, a Account) (string, error) {
	body, err := json.Marshal(map[string]string{"email": a.Email, "password": a.Password})
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, v.URL+loginPath, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	var answer tokens
	if _, err := v.do(request, &answer); err != nil {
		return "", fmt.Errorf("log in as %s: %w", a.Email, err)
	}
	return answer.Token, nil
}

// Search asks shownQuery. While the gateway is starting it tries again, until
// ctx is done.
func (v APIClient) Search(ctx context.Context, token string) (SearchResult, error) {
	for {
		shown, err := v.searchOnce(ctx, token)
		if !errors.Is(err, errNotReady) {
			return shown, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return SearchResult{}, errors.Join(err, ctx.Err())
		}
	}
}

func (v APIClient) searchOnce(ctx context.Context, token string) (SearchResult, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.URL+shownQuery, http.NoBody)
	if err != nil {
		return SearchResult{}, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	var answer struct {
		Count int64       `json:"count"`
		Items []ResultRow `json:"items"`
	}
	began := time.Now()
	header, err := v.do(request, &answer)
	if err != nil {
		return SearchResult{}, fmt.Errorf("search: %w", err)
	}
	return SearchResult{
		Count: answer.Count, Rows: answer.Items, Took: time.Since(began), TraceID: traceID(header),
		CacheStatus: header.Get("Cache-Status"), Timing: header.Get("Server-Timing"),
	}, nil
}

func (v APIClient) do(request *http.Request, into any) (http.Header, error) {
	response, err := v.Client.Do(request) //nolint:gosec // the address is our own listener's
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // read to its end, or of no more use
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode == http.StatusServiceUnavailable:
		return nil, fmt.Errorf("%w: %s", errNotReady, response.Status)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("answered %s: %s", response.Status, bytes.TrimSpace(body))
	}
	return response.Header, json.Unmarshal(body, into)
}

// traceID is the second part of a W3C traceresponse.
func traceID(header http.Header) string {
	parts := strings.Split(header.Get("traceresponse"), "-")
	if len(parts) != 4 {
		return ""
	}
	return parts[1]
}
