package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scopegate/scopegate/session"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/invalidation/redislog"
	"github.com/scopegate/scopegate/search/elastic"
	"github.com/scopegate/scopegate/tenancy"
)

// behindProxy is the place over a proxy that answers some requests in place of
// Elasticsearch, and passes the others on, perhaps with another body.
func behindProxy(t *testing.T, at place, answer func(r *http.Request, body []byte) (status int, changed []byte)) place {
	t.Helper()
	target, err := url.Parse(service(t, "SCOPEGATE_TEST_ELASTICSEARCH"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	forward := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		status, body := answer(r, body)
		if status != 0 {
			w.Header().Set("X-Elastic-Product", "Elasticsearch")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"error":{"type":"circuit_breaking_exception","reason":"[parent] Data too large"}}`))
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		proxy.Close()
		transport.CloseIdleConnections()
	})
	return append(slices.Clone(at), fmt.Sprintf("elasticsearch.addresses=[%q]", proxy.URL))
}

// slowIndices are followed by gateways, and show what is written after an hour,
// unless they are refreshed.
func slowIndices(t *testing.T) place {
	t.Helper()
	at := append(noIndices(t), sharedTierSettings(strings.TrimPrefix(service(t, "SCOPEGATE_TEST_REDIS"), "redis://"))...)
	command(t, at, nil, "index", "create", "--set", "elasticsearch.refresh_interval=1h")
	plantSmallTree(t, at)
	return at
}

// keeping is a gateway that has the page of company 2 in its cache.
func keeping(t *testing.T, at place) *servedGateway {
	t.Helper()
	g := serveAt(t, at, "cache.fresh=1m", "cache.stale=10m")
	eventually(t, "the page is kept", func() bool { count, status := countOf(t, g, 2); return count == 2 && isPageHit(status) })
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
			faulty := behindProxy(t, at, func(r *http.Request, body []byte) (int, []byte) {
				if isRefresh(r) {
					refused.Add(1)
					return http.StatusTooManyRequests, nil
				}
				return 0, body
			})
			importLinesInto(t, faulty, line)
			if refused.Load() == 0 {
				t.Error("no refresh was refused")
			}
			eventually(t, "the page is answered anew", func() bool { count, _ := countOf(t, g, 2); return count == 1 })
		})
	}
}

// What Elasticsearch does not show when gateways are told is not served anew. So
// the command says what to do then.
func TestAnImportThatElasticsearchCannotBeMadeToShowSaysHowToTellTheGateways(t *testing.T) {
	at := slowIndices(t)
	g := keeping(t, at)
	faulty := behindProxy(t, at, func(r *http.Request, body []byte) (int, []byte) {
		if isRefresh(r) || strings.HasSuffix(r.URL.Path, "/_bulk") && r.URL.Query().Get("refresh") == "true" {
			return http.StatusServiceUnavailable, nil
		}
		return 0, body
	})
	file := writeFile(t, filepath.Join(t.TempDir(), "a.ndjson"), deleteB+"\nbad\n")
	_, err := tryCommand(t, faulty, "import", file)
	if code := exitCode(err, io.Discard); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	told := fmt.Sprint(err)
	for _, want := range []string{
		"all that is counted is stored", "could not be made to show it", "run `scopegate invalidate --set … --company 2`",
		"status 503", "1 of 2 lines were rejected: see " + file + ".rejects.ndjson",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("the command says %q, want %q in it", told, want)
		}
	}
	refreshSessions(t, at)
	command(t, at, nil, "invalidate", "--company", "2")
	eventually(t, "the page is answered anew", func() bool { count, _ := countOf(t, g, 2); return count == 1 })
}

func refreshSessions(t *testing.T, at place) {
	t.Helper()
	if err := openPlace(t, at).(*elastic.Store).Importer().Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// scriptedLog is a log that fails as it is told to.
type scriptedLog struct {
	toucher

	append, confirm error
	told            []tenancy.CompanyID
	all, published  bool
}

func (l *scriptedLog) Append(ctx context.Context, companies []tenancy.CompanyID) error {
	if err := errors.Join(ctx.Err(), l.append); err != nil {
		return err
	}
	l.told = append(l.told, slices.Sorted(slices.Values(companies))...)
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

func TestAnImportWhoseWordIsLostSaysHowToTellTheGateways(t *testing.T) {
	lost := errors.New("lost")
	store := openPlace(t, emptyIndices(t)).(*elastic.Store)
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
			w := newTellingWriter(store, &tt.log, configFlags{Config: "/etc/scopegate.yaml"})
			w.all = tt.all
			if _, err := w.Write(t.Context(), []session.Change{sessionChange(t, "a", 2), sessionChange(t, "b", 7)}); err != nil {
				t.Fatal(err)
			}
			stopped, stop := context.WithCancel(t.Context())
			stop()
			err := w.finish(stopped)
			if (err == nil) != (tt.want == "") || err != nil && (!errors.Is(err, errUntold) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if tt.log.published != (err == nil) {
				t.Errorf("published: %t", tt.log.published)
			}
			if want := []tenancy.CompanyID{2, 7}; tt.log.append == nil && !tt.all && !slices.Equal(want, tt.log.told) {
				t.Errorf("told of %v, want %v", tt.log.told, want)
			}
			if _, err := w.Write(t.Context(), []session.Change{{Kind: session.KindSession, Delete: true, SessionID: "a"}, {Kind: session.KindSession, Delete: true, SessionID: "b"}}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAChangeOfTheDirectoryThatGatewaysCannotBeToldOfIsMadeAndSaysSo(t *testing.T) {
	redis := newWire(t, strings.TrimPrefix(service(t, "SCOPEGATE_TEST_REDIS"), "redis://"))
	at := append(emptyIndices(t), sharedTierSettings(strings.TrimPrefix(service(t, "SCOPEGATE_TEST_REDIS"), "redis://"))...)
	plantSmallTree(t, at)
	g := serveAt(t, at)
	token := g.supervisor(t, 1)
	count := func() int64 { return g.get(t, "/api/v1/sessions?showAllSupervised=true", token).page(t).Count }
	eventually(t, "all companies count", func() bool { return count() == 4 })
	redis.cut()
	var said strings.Builder
	args := append([]string{"directory", "move", "2", "--parent", "9"}, at.flags()...)
	args = append(args, "--set", fmt.Sprintf("redis.addresses=[%q]", redis.address), "--set", "audit.file="+filepath.Join(t.TempDir(), "audit.log"))
	if err := run(t.Context(), args, nil, streams{in: strings.NewReader(""), out: io.Discard, err: &said}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "warning: the gateways could not be told of the change: they follow within directory.refresh") {
		t.Errorf("the command says %q", said.String())
	}
	eventually(t, "the gateway follows by itself", func() bool { return count() == 2 })
}

func TestAnImportBeginsAndEndsWhileElasticsearchIsTooBusyForSomeSeconds(t *testing.T) {
	at := emptyIndices(t)
	var asked atomic.Int64
	faulty := behindProxy(t, at, func(r *http.Request, body []byte) (int, []byte) {
		if strings.HasSuffix(r.URL.Path, "-sessions") && asked.Add(1) <= 4 {
			return http.StatusTooManyRequests, nil
		}
		return 0, body
	})
	plantSmallTree(t, faulty)
	if asked.Load() <= 4 {
		t.Errorf("asked %d times", asked.Load())
	}
	if diff := cmp.Diff(int64(4), serveAt(t, at).countOfAll(t)); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
}

func (g *servedGateway) countOfAll(t *testing.T) int64 {
	t.Helper()
	return g.get(t, "/api/v1/sessions?showAllSupervised=true", g.supervisor(t, 1)).page(t).Count
}
