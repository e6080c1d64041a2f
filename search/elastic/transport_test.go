package elastic

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tcptest"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// slowNodes do not answer in time.
type slowNodes struct {
	mu    sync.Mutex
	asked map[string]int
}

func (n *slowNodes) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodHead {
		n.mu.Lock()
		n.asked[r.URL.Hostname()]++
		n.mu.Unlock()
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestASearchThatReachesItsDeadlineLeavesItsNodeInUse(t *testing.T) {
	scope := tenancytest.Scope(t, 7)
	for name, ended := range map[string]func() (context.Context, context.CancelFunc){
		"a deadline": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 20*time.Millisecond)
		},
		"a caller who leaves": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(20*time.Millisecond, cancel)
			return ctx, cancel
		},
	} {
		nodes := &slowNodes{asked: map[string]int{}}
		s := openWith(t, Options{Addresses: []string{"http://one.invalid:9200", "http://two.invalid:9200"}, Transport: nodes})
		s.fits.known.Store(&checkedFitness{asked: time.Now().Add(time.Hour)})
		const each = 5
		for range 2 * each {
			ctx, cancel := ended()
			if _, err := s.Search(ctx, scope, everything()); err == nil {
				t.Errorf("%s: an answer came", name)
			}
			cancel()
		}
		if nodes.asked["one.invalid"] != each || nodes.asked["two.invalid"] != each {
			t.Errorf("%s: asked %v, want %d each", name, nodes.asked, each)
		}
	}
}

func TestAnswersThatAreShortOfTheirOwnCountAreErrors(t *testing.T) {
	const lie = `{"id":"x","took":1,"timed_out":false,"_shards":{"total":1,"failed":0},"hits":{"total":{"value":30000,"relation":"eq"},"hits":[]}}`
	scope := tenancytest.Scope(t, 7)
	for name, offset := range map[string]int{"a page": 0, "a page at an offset": 500, "the last page": 29_999, "a deep page": 20_000} {
		s, _ := openFake(t, always(http.StatusOK, lie))
		q := everything()
		q.Offset = offset
		if _, err := s.Search(t.Context(), scope, q); !errors.Is(err, errShort) || !errors.Is(err, search.ErrUnavailable) {
			t.Errorf("%s: error %v, want %v", name, err, errShort)
		}
	}
	for name, q := range map[string]search.Query{
		"an export":             {},
		"a part of an export":   {Limit: 100},
		"an export from row on": {Offset: 7},
	} {
		s, _ := openFake(t, always(http.StatusOK, lie))
		q.Sort, q.Fields = search.DefaultSort(), session.AllFields()
		snapshot, err := s.Snapshot(t.Context(), scope, q)
		if err == nil {
			_, err = snapshot.Next(t.Context())
			_ = snapshot.Close()
		}
		if !errors.Is(err, errShort) || !errors.Is(err, search.ErrUnavailable) {
			t.Errorf("%s: error %v, want %v", name, err, errShort)
		}
	}
	s, _ := openFake(t, always(http.StatusOK, lie))
	q := everything()
	q.Offset = 30_000
	if result, err := s.Search(t.Context(), scope, q); err != nil || result.Count.Total != 30_000 {
		t.Errorf("a page past the end: %+v, error %v", result, err)
	}
}

// secured starts a server whose certificate has an authority of its own.
func secured(t *testing.T) (url string, authority []byte) {
	t.Helper()
	server := httptest.NewUnstartedServer(sound(0))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

func TestWhyThereIsNoConnectionIsSaid(t *testing.T) {
	tls, authority := secured(t)
	plain := httptest.NewServer(sound(0))
	defer plain.Close()
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(tls, "https://"))
	for name, c := range map[string]struct {
		options Options
		want    string
	}{
		"an unknown authority":   {Options{Addresses: []string{tls}}, "certificate signed by an unknown authority"},
		"another host's":         {Options{Addresses: []string{"https://localhost:" + port}, CACert: authority}, "certificate is not for the host name localhost"},
		"TLS to a plain port":    {Options{Addresses: []string{strings.Replace(plain.URL, "http:", "https:", 1)}}, "does not speak TLS"},
		"plain to a port of TLS": {Options{Addresses: []string{strings.Replace(tls, "https:", "http:", 1)}}, "is not Elasticsearch"},
		"an unknown host":        {Options{Addresses: []string{"http://nothing.invalid:9200"}}, "nothing.invalid"},
		"nobody listens":         {Options{Addresses: []string{"http://" + tcptest.Refused(t)}}, "connection refused"},
	} {
		s, err := Open(t.Context(), c.options)
		if err != nil {
			t.Fatal(err)
		}
		_, status := s.Status(t.Context())
		for what, err := range map[string]error{"ready": s.Ping(t.Context()), "status": status} {
			if !errors.Is(err, search.ErrUnavailable) || !strings.Contains(err.Error(), c.want) || !strings.Contains(reason.Of(err), c.want) {
				t.Errorf("%s: %s: error %v, want one that tells %q", name, what, err, c.want)
			}
		}
		_ = s.Close()
	}
	s, err := Open(t.Context(), Options{Addresses: []string{tls}, CACert: authority})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	s.fits.known.Store(&checkedFitness{asked: time.Now().Add(time.Hour)})
	if _, err := s.Search(t.Context(), tenancytest.Scope(t, 7), everything()); err != nil {
		t.Errorf("the right authority: error %v", err)
	}
}
