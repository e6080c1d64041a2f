// Package client is the Go client of the gateway, generated from the contract
// in package api, whose types it uses.
//
// It depends on package api and nothing else of ours. A token goes into every
// request by an editor:
//
//	c, err := client.NewClientWithResponses("http://127.0.0.1:8080",
//		client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
//			r.Header.Set("Authorization", "Bearer "+token)
//			return nil
//		}))
//	answer, err := c.SearchSessionsWithResponse(ctx, nil, api.SearchBody{Keyword: &keyword})
package client
