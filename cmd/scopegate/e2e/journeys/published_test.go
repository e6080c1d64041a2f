package journeys_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// publishedClient speaks as the platform's published client does: booleans are 1
// and 0, what is null is left out, every request says that it is JSON, and on the
// error "Token is expired." it renews its token, by the expired one without
// Bearer, and asks once more.
type publishedClient struct {
	url                 string
	http                *http.Client
	token, refreshToken string
	refreshed           int
}

// clientAnswer is what that client reads of an answer.
type clientAnswer struct {
	Status int `json:"-"`
	Count  *int64
	Items  []map[string]any
	Error  string
}

func newPublishedClient(t *testing.T, url string) *publishedClient {
	t.Helper()
	c := &publishedClient{url: url, http: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

// roundTrip sends one request and decodes its answer.
func (c *publishedClient) roundTrip(t *testing.T, method, path, authorization string, body, into any) int {
	t.Helper()
	var content io.Reader = http.NoBody
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, c.url+path, content)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json") // on GET too
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := c.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

func (c *publishedClient) login(t *testing.T, body map[string]any) int {
	t.Helper()
	var answer struct{ Token, RefreshToken string }
	status := c.roundTrip(t, http.MethodPost, "/dev/iam/api/v1/auth/login", "", withoutNulls(body), &answer)
	c.token, c.refreshToken = answer.Token, answer.RefreshToken
	return status
}

func (c *publishedClient) refresh(t *testing.T) {
	t.Helper()
	c.refreshed++
	var answer struct{ Token, RefreshToken string }
	status := c.roundTrip(t, http.MethodPost, "/dev/iam/api/v1/auth/refresh", c.token, map[string]any{"refreshToken": c.refreshToken}, &answer)
	if status != http.StatusOK {
		t.Fatalf("refresh answers %d", status)
	}
	c.token, c.refreshToken = answer.Token, answer.RefreshToken
}

// sessions asks for the list, by the URL or by a body.
func (c *publishedClient) sessions(t *testing.T, method string, parameters map[string]any) clientAnswer {
	t.Helper()
	path, body := "/api/v1/sessions?"+inQuery(parameters), any(nil)
	if method == http.MethodPost {
		path, body = "/api/v1/sessions/search", withoutNulls(parameters)
	}
	var answer clientAnswer
	for try := range 2 {
		answer = clientAnswer{}
		answer.Status = c.roundTrip(t, method, path, "Bearer "+c.token, body, &answer)
		if try == 0 && answer.Error == "Token is expired." {
			c.refresh(t)
			continue
		}
		break
	}
	return answer
}

func inQuery(parameters map[string]any) string {
	values := url.Values{}
	for name, value := range withoutNulls(parameters) {
		switch v := value.(type) {
		case bool:
			values.Set(name, map[bool]string{true: "1", false: "0"}[v])
		case []string:
			values.Set(name, strings.Join(v, ","))
		default:
			values.Set(name, fmt.Sprint(v))
		}
	}
	return values.Encode()
}

func withoutNulls(all map[string]any) map[string]any {
	left := map[string]any{}
	for name, value := range all {
		if value != nil {
			left[name] = value
		}
	}
	return left
}

func TestThePublishedClientWorksAgainstTheDemo(t *testing.T) {
	d := startDemo(t, t.TempDir())
	owner := account(t, "owner")
	c := newPublishedClient(t, d.url)
	status := c.login(t, map[string]any{
		"email": owner.Email, "password": owner.Password, "ttl": -60, "companyId": owner.CompanyID, "extra": map[string]any{"app": "console"},
	})
	if status != http.StatusOK {
		t.Fatalf("login answers %d", status)
	}
	parameters := map[string]any{
		"withoutCount": false, "withoutItems": false, "limit": 5, "offset": 0, "page": nil, "keyword": nil, "companyId": nil,
		"showAllSupervised": true, "onlyClientMessages": false, "sort": []string{"-started_at"}, "fields": []string{"id", "companyId", "startedAt"},
	}
	answer := c.sessions(t, http.MethodGet, parameters)
	if answer.Status != http.StatusOK || answer.Count == nil || strconv.FormatInt(*answer.Count, 10) != demoSessions || len(answer.Items) != 5 || len(answer.Items[0]) != 3 {
		t.Fatalf("the list: %+v", answer)
	}
	if c.refreshed != 1 {
		t.Errorf("the expired token was renewed %d times, want once", c.refreshed)
	}
	if again := c.sessions(t, http.MethodGet, parameters); again.Status != http.StatusOK || *again.Count != *answer.Count || c.refreshed != 1 {
		t.Errorf("again: %+v, after %d renewals", again, c.refreshed)
	}
	posted := c.sessions(t, http.MethodPost, parameters)
	if posted.Status != http.StatusOK || *posted.Count != *answer.Count || fmt.Sprint(posted.Items) != fmt.Sprint(answer.Items) {
		t.Errorf("by a body: %+v, want %+v", posted, answer)
	}
	parameters["withoutCount"] = true
	if items := c.sessions(t, http.MethodGet, parameters); items.Count != nil || len(items.Items) != 5 {
		t.Errorf("without the count: %+v", items)
	}
}

func TestThePublishedClientDoesNotRenewATokenThatIsBadInAnotherWay(t *testing.T) {
	d := startDemo(t, t.TempDir())
	supervisor := account(t, "supervisor")
	c := newPublishedClient(t, d.url)
	if status := c.login(t, map[string]any{"email": supervisor.Email, "password": supervisor.Password, "ttl": nil, "companyId": nil, "extra": nil}); status != http.StatusOK {
		t.Fatalf("login answers %d", status)
	}
	c.token = c.token[:len(c.token)-4] + "AAAA"
	if answer := c.sessions(t, http.MethodGet, map[string]any{}); answer.Status != http.StatusUnauthorized || answer.Error == "" || c.refreshed != 0 {
		t.Errorf("%+v, after %d renewals", answer, c.refreshed)
	}
	if answer := c.sessions(t, http.MethodGet, map[string]any{"companyId": 1}); answer.Status != http.StatusUnauthorized {
		t.Errorf("a company besides: %+v", answer)
	}
	if status := c.login(t, map[string]any{"email": supervisor.Email, "password": supervisor.Password, "companyId": 1000}); status != http.StatusForbidden {
		t.Errorf("a login as a company above answers %d, want 403", status)
	}
}
