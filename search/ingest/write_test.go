package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/session"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var errPlanted = errors.New("planted")

// slowStore delays writes for random times, so that they overtake each other. It
// keeps the names of sessions by id.
type slowStore struct {
	mu       sync.Mutex
	underWay int
	most     int
	sessions map[string]string
	fails    string // name of a session whose write fails
}

func (s *slowStore) Write(_ context.Context, changes []session.Change) (session.Written, error) {
	s.enter()
	first, _ := changes[0].Session.Text("name")
	time.Sleep(time.Duration(len(first)%3) * 100 * time.Microsecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underWay--
	for _, c := range changes {
		name, _ := c.Session.Text("name")
		if name == s.fails && s.fails != "" {
			return session.Written{}, errPlanted
		}
		s.sessions[c.Session.ID()] = name
	}
	return session.Written{Upserted: len(changes)}, nil
}

func (s *slowStore) enter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underWay++
	s.most = max(s.most, s.underWay)
}

func TestWritesAtOnceLeaveWhatWritesInTurnLeave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		atOnce := rapid.IntRange(0, 4).Draw(t, "at once")
		ids := rapid.SliceOfN(rapid.IntRange(1, 30), 1, 200).Draw(t, "ids")
		var text strings.Builder
		want := map[string]string{}
		for i, id := range ids {
			name := strings.Repeat("n", 1+i%7) + strconv.Itoa(i)
			fmt.Fprintf(&text, `{"id":"s%d","companyId":1,"name":%q}`+"\n", id, name)
			want[fmt.Sprintf("s%d", id)] = name
		}
		to := &slowStore{sessions: map[string]string{}}
		source, err := NewSource("generated", strings.NewReader(text.String()))
		if err != nil {
			t.Fatal(err)
		}
		report, err := Run(context.Background(), to, source, Options{Type: TypeSession, BatchLines: 3, AtOnce: atOnce})
		if err != nil || report.Upserted != int64(len(ids)) {
			t.Errorf("%+v, error %v", report, err)
		}
		if diff := cmp.Diff(want, to.sessions); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		if to.most > max(atOnce, 1) || to.underWay != 0 {
			t.Errorf("%d writes at a time, of %d, and %d left", to.most, atOnce, to.underWay)
		}
	})
}

func TestAFailedWriteAmongOthersNamesItsOwnLines(t *testing.T) {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, `{"id":"s%d","companyId":1,"name":"n%d"}`+"\n", i, i)
	}
	to := &slowStore{sessions: map[string]string{}, fails: "n42"}
	report, err := Run(t.Context(), to, sourceOf(t, text.String()), Options{Type: TypeSession, BatchLines: 10, AtOnce: 3})
	var failed *WriteError
	if !errors.As(err, &failed) || !errors.Is(err, errPlanted) || failed.First != 41 || failed.Last != 50 {
		t.Fatalf("error %v, want lines 41 to 50", err)
	}
	if report.Lines != 40 || to.underWay != 0 {
		t.Errorf("%+v, and %d writes are still under way", report, to.underWay)
	}
}
