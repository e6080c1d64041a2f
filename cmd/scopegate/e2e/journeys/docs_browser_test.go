package journeys_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// browse starts a real browser with one empty tab and returns the context of the
// tab. The tab runs before browse returns: an event listener that is added to a
// tab that has not started waits forever with Chromium 156.
func browse(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv(harness.RequireServices) != "" {
			t.Fatal(err)
		}
		t.Skip("there is no chromium; `make test` installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1200, 1600),
		chromedp.Flag("disable-component-update", true))
	ctx, cancelTimeout := context.WithTimeout(context.WithoutCancel(t.Context()), 4*time.Minute) // ends after the cleanup, not before
	ctx, cancelBrowser := chromedp.NewExecAllocator(ctx, options...)
	ctx, cancelTab := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Error(err)
		}
		cancelTab()
		cancelBrowser()
		cancelTimeout()
	})
	if _, err := chromedp.Run(ctx, step("start the browser", chromedp.Navigate("about:blank"))); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// step names an action, so that a test that stops says which step it stopped at.
func step[T any](name string, action chromedp.Action[T]) chromedp.Action[T] {
	return func(ctx context.Context, tab *chromedp.Target) (T, error) {
		value, err := action(ctx, tab)
		if err != nil {
			err = fmt.Errorf("browser step %q: %w", name, err)
		}
		return value, err
	}
}

// tryMe authorizes and tries GET /api/v1/me on the page, as a person would, and
// reads the answer that it shows.
func tryMe(gateway, token string) chromedp.Action[string] {
	return func(ctx context.Context, tab *chromedp.Target) (string, error) {
		steps := chromedp.Steps(
			step("open the page", chromedp.Navigate(gateway+"/docs")),
			step("open the form of the token", chromedp.Click(`.auth-wrapper button.authorize`)),
			step("type the token", chromedp.SendKeys(`.auth-container input`, token)),
			step("authorize", chromedp.Click(`.auth-btn-wrapper button.authorize`)),
			step("close the form", chromedp.Click(`.auth-btn-wrapper button.btn-done`)),
			step("open the endpoint", chromedp.Click(`.opblock[id$="getMe"] .opblock-summary-control`)),
			step("execute the request", chromedp.Click(`.opblock[id$="getMe"] button.execute`)),
		)
		if _, err := steps(ctx, tab); err != nil {
			return "", err
		}
		return step("read the answer", chromedp.TextContent(`.live-responses-table .response-col_description pre`))(ctx, tab)
	}
}

func TestTheAPIPageTriesARequestAndAsksNoOtherOrigin(t *testing.T) {
	ctx := browse(t)
	g := harness.Serve(t, harness.SmallTree(t))
	var (
		mu    sync.Mutex
		asked []string
	)
	if err := chromedp.Listen(ctx, func(event any) {
		if sent, ok := event.(*network.EventRequestWillBeSent); ok {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, sent.Request.URL)
		}
	}); err != nil {
		t.Fatal(err)
	}
	answer, err := chromedp.Run(ctx, tryMe(g.URL, g.Supervisor(t, 1)))
	picture, pictureErr := chromedp.Run(ctx, step("take a screenshot", chromedp.CaptureScreenshot()))
	if err = errors.Join(err, pictureErr); err != nil {
		t.Fatal(err)
	}
	if shot := os.Getenv("SCOPEGATE_SCREENSHOT"); shot != "" {
		if err := os.WriteFile(shot, picture, 0o600); err != nil {
			t.Error(err)
		}
	}
	if !strings.Contains(answer, `"supervisor": true`) {
		t.Errorf("the page shows %q", answer)
	}
	mu.Lock()
	defer mu.Unlock()
	own, tried := strings.TrimPrefix(g.URL, "http://"), false
	for _, address := range asked {
		u, err := url.Parse(address)
		if err != nil || u.Host != own && u.Scheme != "data" && u.Scheme != "blob" {
			t.Errorf("the page asked %s, %v", address, err)
		}
		tried = tried || u.Path == "/api/v1/me"
	}
	if !tried {
		t.Errorf("the page did not try the request; it asked %q", asked)
	}
}
