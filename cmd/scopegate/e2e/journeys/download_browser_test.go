package journeys_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// downloads saves what the addresses lead to into the folder, as the user of the
// token, each in turn.
func downloads(token, dir string, addresses []string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, tab *chromedp.Target) (none chromedp.Void, err error) {
		if _, err := chromedp.Call(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
			Behavior: "allow", DownloadPath: dir, EventsEnabled: new(true),
		}); err != nil {
			return none, err
		}
		if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
			return none, err
		}
		headers := network.Headers(map[string]any{"Authorization": "Bearer " + token})
		if _, err := chromedp.Call(ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: headers}); err != nil {
			return none, err
		}
		for _, address := range addresses {
			ended := chromedp.Events(ctx, browser.DownloadProgress)
			_, _ = chromedp.Navigate(address)(ctx, tab) // fails by aborting: it is no page
			for progress, err := range ended {
				if err != nil {
					return none, fmt.Errorf("browser step \"download %s\": %w", address, err)
				}
				if progress.State != browser.DownloadProgressStateInProgress {
					break
				}
			}
		}
		return none, nil
	}
}

func TestABrowserSavesAFileUnderASafeNameThatReadsAsAskedFor(t *testing.T) {
	dir := t.TempDir()
	ctx := browse(t)
	g := harness.Serve(t, harness.SmallTree(t))
	names := map[string]string{
		"Отчёт за май":              "Отчёт за май.csv",
		"plain report":              "plain report.csv",
		"100% \"quoted\"":           "100% _quoted_.csv",
		"../../etc/passwd":          "_.._etc_passwd.csv",
		"a\r\nSet-Cookie: x=1":      "a__Set-Cookie_ x=1.csv",
		strings.Repeat("имя", 100):  strings.Repeat("имя", 33) + "и.csv",
		"שלום 报告":                   "שלום 报告.csv",
		"already named.csv":         "already named.csv",
		strings.Repeat("long", 250): strings.Repeat("long", 50) + ".csv",
	}
	var addresses []string
	for name := range names {
		addresses = append(addresses, g.URL+"/api/v1/sessions/export?"+url.Values{"filename": {name}}.Encode())
	}
	if err := chromedp.Do(ctx, step("save the files", downloads(g.Supervisor(t, 1), dir, addresses))); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	saved := map[string]bool{}
	for _, entry := range entries {
		saved[entry.Name()] = true
	}
	for asked, want := range names {
		if !saved[want] {
			shown, _ := json.Marshal(asked)
			t.Errorf("%s was not saved as %q", shown, want)
		}
	}
	if len(saved) != len(names) {
		t.Errorf("saved: %q", entries)
	}
}
