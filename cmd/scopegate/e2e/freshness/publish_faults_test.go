package freshness_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/cmd/scopegate/app"
	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/invalidation/redislog"
	"github.com/scopegate/scopegate/search/elastic"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tcptest"
	"github.com/scopegate/scopegate/tenancy"
)

// slowIndices are followed by gateways, and show what is written after an hour,
// unless they are refreshed.
func slowIndices(t *testing.T) harness.Place {
	t.Helper()
	at := append(harness.NoIndices(t), harness.RedisSettings(strings.TrimPrefix(harness.Service(t, "SCOPEGATE_TEST_REDIS"), "redis://"))...)
	harness.Command(t, at, nil, "index", "create", "--set", "elasticsearch.refresh_interval=1h")
	harness.PlantSmallTree(t, at)
	return at
}

// keeping is a gateway that has the page of company 2 in its cache.
func keeping(t *testing.T, at harness.Place) *harness.Gateway {
	t.Helper()
	g := harness.ServeAt(t, at, "cache.fresh=1m", "cache.stale=10m")
	harness.Eventually(t, "the page is kept", func() bool { count, status := harness.CountOf(t, g, 2); return count == 2 && harness.IsPageHit(status) })
	return g
}

func isRefresh(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/_refresh") }

const (
	deleteB = `{"type":"session","op":"delete","doc":{"id":"b"}}`
	moveB   = `{"type":"session","doc":{"id":"b","companyId":9}}`
)

func TestASessionThatIsDeletedOrMovedIsNotServedAlsoWhereTheRefreshOfTheImportIsRefused(t *testing.T) {
	for name, line := range map[string]string{"deleted": deleteB, "moved": moveB} {
		t.Run(name, func(t *testing.T) {
			at := slowIndices(t)
			g := keeping(t, at)
			var refused atomic.Int64
			faulty := harness.BehindProxy(t, at, func(r *http.Request, body []byte) (int, []byte) {
				if isRefresh(r) {
					refused.Add(1)
					return http.StatusTooManyRequests, nil
				}
				return 0, body
			})
			harness.ImportLinesInto(t, faulty, line)
			if refused.Load() == 0 {
				t.Error("no refresh was refused")
			}
			harness.Eventually(t, "the page is answered anew", func() bool { count, _ := harness.CountOf(t, g, 2); return count == 1 })
		})
	}
}

// What Elasticsearch does not show when gateways are told is not served anew. So
// the command says what to do then.
func TestAnImportThatElasticsearchCannotBeMadeToShowSaysHowToInvalidate(t *testing.T) {
	at := slowIndices(t)
	g := keeping(t, at)
	faulty := harness.BehindProxy(t, at, func(r *http.Request, body []byte) (int, []byte) {
		if isRefresh(r) || strings.HasSuffix(r.URL.Path, "/_bulk") && r.URL.Query().Get("refresh") == "true" {
			return http.StatusServiceUnavailable, nil
		}
		return 0, body
	})
	file := harness.WriteFile(t, filepath.Join(t.TempDir(), "a.ndjson"), deleteB+"\nbad\n")
	_, err := harness.TryCommand(t, faulty, "import", file)
	if code := cli.ExitCode(err, io.Discard); code != cli.ExitFailed {
		t.Errorf("exit code %d, want %d", code, cli.ExitFailed)
	}
	announced := fmt.Sprint(err)
	for _, want := range []string{
		"all that is counted is stored", "could not be made to show it", "run `scopegate invalidate --set … --company 2`",
		"status 503", "1 of 2 lines were rejected: see " + file + ".rejects.ndjson",
	} {
		if !strings.Contains(announced, want) {
			t.Errorf("the command says %q, want %q in it", announced, want)
		}
	}
	refreshSessions(t, at)
	harness.Command(t, at, nil, "invalidate", "--company", "2")
	harness.Eventually(t, "the page is answered anew", func() bool { count, _ := harness.CountOf(t, g, 2); return count == 1 })
}

func refreshSessions(t *testing.T, at harness.Place) {
	t.Helper()
	if err := harness.OpenPlace(t, at).(*elastic.Store).Importer().Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// scriptedLog is a log that fails as it is told to.
type scriptedLog struct {
	app.Publisher

	append, confirm error
	announced       []tenancy.CompanyID
	all, published  bool
}

func (l *scriptedLog) Append(ctx context.Context, companies []tenancy.CompanyID) error {
	if err := errors.Join(ctx.Err(), l.append); err != nil {
		return err
	}
	l.announced = append(l.announced, slices.Sorted(slices.Values(companies))...)
	return nil
}

func (l *scriptedLog) AppendAll(ctx context.Context) error {
	l.all = true
	return errors.Join(ctx.Err(), l.append)
}

func (l *scriptedLog) Confirm(ctx context.Context) error { return errors.Join(ctx.Err(), l.confirm) }

func (l *scriptedLog) Intend(context.Context, []tenancy.CompanyID) error { return nil }

func (l *scriptedLog) Published(context.Context) error {
	l.published = true
	return nil
}

func TestAnImportThatCannotPublishSaysHowToInvalidate(t *testing.T) {
	lost := errors.New("lost")
	store := harness.OpenPlace(t, harness.EmptyIndices(t)).(*elastic.Store)
	for name, tt := range map[string]struct {
		log  scriptedLog
		all  bool
		want string
	}{
		"it cannot be said":         {scriptedLog{append: lost}, false, "run `scopegate invalidate -c /etc/scopegate.yaml --company 2,7`"},
		"it does not stay":          {scriptedLog{confirm: redislog.ErrTampered}, false, "run `scopegate invalidate -c /etc/scopegate.yaml --company 2,7`"},
		"any company may be of it":  {scriptedLog{append: lost}, true, "run `scopegate invalidate -c /etc/scopegate.yaml --all`"},
		"the command was stopped":   {scriptedLog{}, false, ""},
		"it was stopped, and so on": {scriptedLog{confirm: lost}, false, "--company 2,7"},
	} {
		t.Run(name, func(t *testing.T) {
			w := app.NewNotifyingWriter(store, &tt.log, "scopegate invalidate -c /etc/scopegate.yaml")
			w.All = tt.all
			if _, err := w.Write(t.Context(), []session.Change{harness.SessionChange(t, "a", 2), harness.SessionChange(t, "b", 7)}); err != nil {
				t.Fatal(err)
			}
			stopped, stop := context.WithCancel(t.Context())
			stop()
			err := w.Finish(stopped)
			if (err == nil) != (tt.want == "") || err != nil && (!errors.Is(err, app.ErrUnannounced) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if tt.log.published != (err == nil) {
				t.Errorf("published: %t", tt.log.published)
			}
			if want := []tenancy.CompanyID{2, 7}; tt.log.append == nil && !tt.all && !slices.Equal(want, tt.log.announced) {
				t.Errorf("told of %v, want %v", tt.log.announced, want)
			}
			if _, err := w.Write(t.Context(), []session.Change{{Kind: session.KindSession, Delete: true, SessionID: "a"}, {Kind: session.KindSession, Delete: true, SessionID: "b"}}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAChangeOfTheDirectoryThatCannotBePublishedIsMadeAndSaysSo(t *testing.T) {
	redis := tcptest.NewProxy(t, strings.TrimPrefix(harness.Service(t, "SCOPEGATE_TEST_REDIS"), "redis://"))
	at := append(harness.EmptyIndices(t), harness.RedisSettings(strings.TrimPrefix(harness.Service(t, "SCOPEGATE_TEST_REDIS"), "redis://"))...)
	harness.PlantSmallTree(t, at)
	g := harness.ServeAt(t, at)
	token := g.Supervisor(t, 1)
	count := func() int64 { return g.Get(t, "/api/v1/sessions?showAllSupervised=true", token).Page(t).Count }
	harness.Eventually(t, "all companies count", func() bool { return count() == 4 })
	redis.Cut()
	var said strings.Builder
	args := append([]string{"directory", "move", "2", "--parent", "9"}, at.Flags()...)
	args = append(args, "--set", fmt.Sprintf("redis.addresses=[%q]", redis.Address), "--set", "audit.file="+filepath.Join(t.TempDir(), "audit.log"))
	if err := cli.Run(t.Context(), args, nil, cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: &said}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "warning: the gateways could not be told of the change: they follow within directory.refresh") {
		t.Errorf("the command says %q", said.String())
	}
	harness.Eventually(t, "the gateway follows by itself", func() bool { return count() == 2 })
}

func TestAnImportBeginsAndEndsWhileElasticsearchIsTooBusyForSomeSeconds(t *testing.T) {
	at := harness.EmptyIndices(t)
	var asked atomic.Int64
	faulty := harness.BehindProxy(t, at, func(r *http.Request, body []byte) (int, []byte) {
		if strings.HasSuffix(r.URL.Path, "-sessions") && asked.Add(1) <= 4 {
			return http.StatusTooManyRequests, nil
		}
		return 0, body
	})
	harness.PlantSmallTree(t, faulty)
	if asked.Load() <= 4 {
		t.Errorf("asked %d times", asked.Load())
	}
	if diff := cmp.Diff(int64(4), harness.ServeAt(t, at).CountOfAll(t)); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
}
