package client_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/api"
	"github.com/scopegate/scopegate/api/client"
)

// serve answers every request with the body and keeps the last one's address,
// token and body.
func serve(t *testing.T, status int, contentType, body string) (c *client.ClientWithResponses, asked func() (uri, token string, sent map[string]any)) {
	t.Helper()
	var uri, token string
	var sent map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		uri, token, sent = r.URL.RequestURI(), r.Header.Get("Authorization"), nil
		if r.Method == http.MethodPost {
			if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
				t.Errorf("body: %v", err)
			}
		}
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Link", `<?cursor=a>; rel="next"`)
		w.WriteHeader(status)
		if _, err := w.Write([]byte(body)); err != nil {
			t.Errorf("answer: %v", err)
		}
	}))
	t.Cleanup(server.Close)
	c, err := client.NewClientWithResponses(server.URL, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer t")
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	return c, func() (string, string, map[string]any) { return uri, token, sent }
}

func TestClientAsksByURLAndReadsThePage(t *testing.T) {
	c, asked := serve(t, http.StatusOK, "application/json; charset=utf-8",
		`{"count":2,"items":[{"id":"a","name":null,"startedAt":"2018-05-27T21:30:54.000Z"}]}`)
	limit, keyword := int32(1), "a b+c"
	answer, err := c.ListSessionsWithResponse(t.Context(), &api.ListSessionsParams{
		Limit: &limit, Keyword: &keyword,
		Fields: []api.SessionField{api.SessionFieldId, api.SessionFieldName}, Sort: []string{"+name"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if answer.JSON200 == nil || *answer.JSON200.Count != 2 || len(answer.JSON200.Items) != 1 || answer.JSON200.Items[0].Name != nil {
		t.Fatalf("answer: %+v", answer.JSON200)
	}
	uri, token, _ := asked()
	if want := "/api/v1/sessions?limit=1&fields=id,name&sort=%2Bname&keyword=a+b%2Bc"; uri != want {
		t.Errorf("asked %s, want %s", uri, want)
	}
	if token != "Bearer t" {
		t.Errorf("token %q", token)
	}
}

func TestClientAsksByBodyAndLeavesOutWhatIsNotSet(t *testing.T) {
	c, asked := serve(t, http.StatusOK, "application/json; charset=utf-8", `{"count":0}`)
	keyword, none := "a", true
	answer, err := c.SearchSessionsWithResponse(t.Context(), nil, api.SearchBody{Keyword: &keyword, WithoutItems: &none})
	if err != nil {
		t.Fatal(err)
	}
	if answer.JSON200 == nil || *answer.JSON200.Count != 0 {
		t.Fatalf("answer: %+v", answer.JSON200)
	}
	_, _, sent := asked()
	if diff := cmp.Diff(map[string]any{"keyword": "a", "withoutItems": true}, sent); diff != "" {
		t.Error(diff)
	}
}

func TestClientReadsProblems(t *testing.T) {
	c, _ := serve(t, http.StatusBadRequest, "application/problem+json",
		`{"type":"about:blank","title":"Bad Request","status":400,"detail":"d","instance":"/requests/1","traceId":"t","error":"d","details":[{"parameter":"query","message":"m"}]}`)
	answer, err := c.ListCompaniesWithResponse(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.ApplicationproblemJSON400 == nil {
		t.Fatal("no problem read")
	}
	if diff := cmp.Diff([]api.Fault{{Parameter: "query", Message: "m"}}, answer.ApplicationproblemJSON400.Details); diff != "" {
		t.Error(diff)
	}
}
