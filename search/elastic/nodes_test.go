package elastic

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// faultyNode is a node that records its requests and answers with a function; nil:
// it never answers.
type faultyNode struct {
	*httptest.Server

	mu     sync.Mutex
	answer http.Handler
	sent   []string // methods and paths
}

func newFaultyNode(t *testing.T, answer http.Handler) *faultyNode {
	t.Helper()
	n := &faultyNode{answer: answer}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client has left
		n.mu.Lock()
		n.sent = append(n.sent, r.Method+" "+r.URL.Path)
		answer := n.answer
		n.mu.Unlock()
		if answer == nil {
			<-r.Context().Done()
			return
		}
		answer.ServeHTTP(w, r)
	}))
	t.Cleanup(n.Close)
	return n
}

// recovers makes the node answer from now on.
func (n *faultyNode) recovers(answer http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answer, n.sent = answer, nil
}

// count returns how many requests of a kind the node received.
func (n *faultyNode) count(of string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, sent := range n.sent {
		if strings.Contains(sent, of) {
			count++
		}
	}
	return count
}

// sound answers as Elasticsearch does.
func sound(after time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		if r.Method == http.MethodHead {
			return
		}
		time.Sleep(after)
		_, _ = io.WriteString(w, noHits)
	})
}

// overNodes opens a Store over the nodes. It takes its index as checked.
func overNodes(t *testing.T, list ...*faultyNode) *Store {
	t.Helper()
	var o Options
	for _, n := range list {
		o.Addresses = append(o.Addresses, n.URL)
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s.client.nodes.times = nodeTimes{silence: 50 * time.Millisecond, probe: 2 * time.Second, revive: 20 * time.Millisecond}
	s.fits.known.Store(&checkedFitness{asked: time.Now().Add(time.Hour)})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// withShortWaits shortens the waiting times, for nodes that answer nothing.
func withShortWaits(s *Store) *Store {
	s.client.nodes.times.probe = 50 * time.Millisecond
	return s
}

func TestOfSeveralNodesOneThatAcceptsAndNeverAnswersFailsNoSearchAndIsProbedBeforeCallersMeetItAgain(t *testing.T) {
	s := openStore(t, 1)
	write(t, s, newSession(t, "a", 7, nil))
	silent := newFaultyNode(t, nil)
	over, err := Open(t.Context(), Options{Addresses: []string{silent.URL, s.options.Addresses[0]}, Index: s.options.Index})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = over.Close() }()
	over.client.nodes.times = nodeTimes{silence: 200 * time.Millisecond, probe: 5 * time.Second, revive: 20 * time.Millisecond}
	// The real node may be slow to answer a probe; do not wait for the silent one.
	over.client.nodes.transport = transportFunc(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(silent.URL, r.URL.Host) {
			ctx, cancel := context.WithTimeout(r.Context(), 200*time.Millisecond)
			defer cancel()
			r = r.WithContext(ctx)
		}
		return over.client.own.RoundTrip(r)
	})
	answered := func(what string) {
		t.Helper()
		for name, ask := range asking(over, tenancytest.Scope(t, 7)) {
			if err := ask(t.Context()); err != nil {
				t.Errorf("%s: %s: %v", what, name, err)
			}
		}
	}
	for range 5 {
		answered("one is silent")
	}
	if n := silent.count("POST ") + silent.count("GET "); n != 1 {
		t.Errorf("the silent node was sent %d requests, want one: %v", n, silent.sent)
	}
	if silent.count("HEAD ") == 0 {
		t.Error("the silent node was not probed")
	}
	silent.recovers(sound(0))
	await(t, "a request reaches the node that is back", func() error {
		if err := over.Ping(t.Context()); err != nil && silent.count("GET ") == 0 {
			return err
		}
		if silent.count("GET ")+silent.count("POST ") == 0 {
			return errors.New("none has")
		}
		return nil
	})
	silent.mu.Lock()
	defer silent.mu.Unlock()
	if !strings.HasPrefix(silent.sent[0], "HEAD /") {
		t.Errorf("the node that came back was sent %v, want a probe first", silent.sent)
	}
}

func TestASearchIsSentToTwoNodesAtMost(t *testing.T) {
	list := []*faultyNode{newFaultyNode(t, nil), newFaultyNode(t, nil), newFaultyNode(t, nil)}
	s := withShortWaits(overNodes(t, list...))
	_, err := s.Search(t.Context(), tenancytest.Scope(t, 7), everything())
	if !errors.Is(err, search.ErrUnavailable) || !errors.Is(err, errSilent) {
		t.Errorf("error %v, want %v", err, errSilent)
	}
	n := 0
	for _, node := range list {
		n += node.count("/_search")
	}
	if n != 2 {
		t.Errorf("sent %d times, want twice", n)
	}
}

func TestAWriteToANodeThatNeverAnswersIsNotRepeated(t *testing.T) {
	silent, other := newFaultyNode(t, nil), newFaultyNode(t, sound(0))
	s := withShortWaits(overNodes(t, silent, other))
	_, err := s.Write(t.Context(), []session.Change{gone("x")})
	if !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("error %v, want %v", err, search.ErrUnavailable)
	}
	if silent.count("/_bulk") != 1 || other.count("/_bulk") != 0 {
		t.Errorf("the silent node was sent %v, the other %v; want one write", silent.sent, other.sent)
	}
}

func TestASlowSearchIsWaitedForAsLongAsItsNodeAnswersProbes(t *testing.T) {
	slow, other := newFaultyNode(t, sound(500*time.Millisecond)), newFaultyNode(t, sound(0))
	s := overNodes(t, slow, other)
	if _, err := s.Search(t.Context(), tenancytest.Scope(t, 7), everything()); err != nil {
		t.Error(err)
	}
	if slow.count("/_search") != 1 || other.count("/_search") != 0 {
		t.Errorf("the slow node was sent %v, the other %v; want one search", slow.sent, other.sent)
	}
	if slow.count("HEAD /") == 0 {
		t.Error("the slow node was not probed")
	}
}

// A node answers probes, but no search.
func TestASearchThatHangsIsAnsweredByAnotherNodeWhenHalfOfItsTimeIsOver(t *testing.T) {
	hanging := newFaultyNode(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			sound(0).ServeHTTP(w, r)
			return
		}
		<-r.Context().Done()
	}))
	other := newFaultyNode(t, sound(0))
	s := overNodes(t, hanging, other)
	s.client.nodes.times.revive = time.Hour
	scope := tenancytest.Scope(t, 7)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		if _, err := s.Search(ctx, scope, everything()); err != nil {
			t.Error(err)
		}
		cancel()
	}
	if n := hanging.count("/_search"); n != 1 {
		t.Errorf("the hanging node was sent %d searches, want one", n)
	}
	await(t, "what was given up is over", func() error {
		if n := len(s.client.nodes.hedges); n > 0 {
			return errors.New("a second attempt is counted still")
		}
		return nil
	})
}

func TestTheFirstOfTwoNodesMayAnswerFirstAndTheOtherIsNotBlamed(t *testing.T) {
	slow, hanging := newFaultyNode(t, sound(1500*time.Millisecond)), newFaultyNode(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			sound(0).ServeHTTP(w, r)
			return
		}
		<-r.Context().Done()
	}))
	s := overNodes(t, slow, hanging)
	s.client.nodes.times.silence = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := s.Search(ctx, tenancytest.Scope(t, 7), everything()); err != nil {
		t.Error(err)
	}
	if slow.count("/_search") != 1 || hanging.count("/_search") != 1 {
		t.Errorf("sent %v and %v, want one search each", slow.sent, hanging.sent)
	}
	for _, n := range s.client.nodes.all {
		if s.client.nodes.isDown(n) {
			t.Errorf("%s is taken for down", n.url)
		}
	}
}

func TestAShortDeadlineLeavesTimeForAnotherNode(t *testing.T) {
	silent, other := newFaultyNode(t, nil), newFaultyNode(t, sound(0))
	s := withShortWaits(overNodes(t, silent, other))
	s.client.nodes.times.silence = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if _, err := s.Search(ctx, tenancytest.Scope(t, 7), everything()); err != nil {
		t.Error(err)
	}
}

func TestASearchGoesToAnotherNodeWhenTheConnectionBreaks(t *testing.T) {
	breaking := newFaultyNode(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }))
	other := newFaultyNode(t, sound(0))
	s := overNodes(t, breaking, other)
	scope := tenancytest.Scope(t, 7)
	for range 4 {
		if _, err := s.Search(t.Context(), scope, everything()); err != nil {
			t.Error(err)
		}
	}
	if n := breaking.count("/_search"); n != 1 {
		t.Errorf("the breaking node was sent %d searches, want one", n)
	}
}

func TestANodeIsAskedBelowItsOwnPathWithItsCredentials(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	node := func(alive bool) *faultyNode {
		return newFaultyNode(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, password, _ := r.BasicAuth()
			mu.Lock()
			asked = append(asked, r.URL.Path+" "+user+":"+password)
			mu.Unlock()
			if !alive {
				panic(http.ErrAbortHandler)
			}
			sound(0).ServeHTTP(w, r)
		}))
	}
	s, err := Open(t.Context(), Options{
		Addresses: []string{node(false).URL + "/one/", node(true).URL + "/two"}, Username: "u", Password: "p",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	s.client.nodes.times.revive = 10 * time.Millisecond
	s.fits.known.Store(&checkedFitness{asked: time.Now().Add(time.Hour)})
	if _, err := s.Search(t.Context(), tenancytest.Scope(t, 7), everything()); err != nil {
		t.Error(err)
	}
	await(t, "probe", func() error {
		mu.Lock()
		defer mu.Unlock()
		for _, want := range []string{"/one/scopegate-sessions/_search u:p", "/two/scopegate-sessions/_search u:p", "/one/ u:p"} {
			if !slices.Contains(asked, want) {
				return errors.New("not asked: " + want)
			}
		}
		return nil
	})
}

func TestWhileAllNodesFailSearchesAreHardlyRepeated(t *testing.T) {
	abort := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			sound(0).ServeHTTP(w, r)
			return
		}
		panic(http.ErrAbortHandler)
	})
	list := []*faultyNode{newFaultyNode(t, abort), newFaultyNode(t, abort)}
	s := overNodes(t, list...)
	const searches = 300
	for range searches {
		if _, err := s.Search(t.Context(), tenancytest.Scope(t, 7), everything()); !errors.Is(err, search.ErrUnavailable) {
			t.Fatalf("error %v, want %v", err, search.ErrUnavailable)
		}
	}
	// One of ten, and ten that were saved before.
	if n := list[0].count("/_search") + list[1].count("/_search"); n > searches*11/10+11 {
		t.Errorf("%d searches were sent %d times", searches, n)
	}
}

func TestWhatANodeRefusesIsNotRepeated(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests} {
		refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Elastic-Product", "Elasticsearch")
			w.WriteHeader(status)
		})
		list := []*faultyNode{newFaultyNode(t, refuse), newFaultyNode(t, refuse)}
		if _, err := overNodes(t, list...).Search(t.Context(), tenancytest.Scope(t, 7), everything().CountOnly()); err == nil {
			t.Errorf("status %d is no error", status)
		}
		if n := list[0].count("/_search") + list[1].count("/_search"); n != 1 {
			t.Errorf("status %d: sent %d times", status, n)
		}
	}
}
